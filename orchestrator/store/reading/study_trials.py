"""Reads of the progress of searches, from Optuna's tables next to ours: without Optuna, which would write to them when it opens them;
of their finished rungs, and of the outcomes of single jobs."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, Text, and_, cast, column, func, inspect, select, table

from orchestrator.store.connection.session import Store, chunks
from orchestrator.store.leases.leases import living_sweeps
from orchestrator.store.reading.stored_specs import runnable_spec
from orchestrator.store.schema.result_tables import (
    AttackResultRecord,
    CleanResultRecord,
    CraftedExamplesRecord,
    ShardResultRecord,
    TrainedModelRecord,
)
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord, SweepJobRecord, SweepRecord
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import unpack_flags
from workers.spec.job import Earlier, Job
from workers.spec.keys import KEY_VERSION

_STUDIES = table("studies", column("study_id"), column("study_name"))
_TRIALS = table("trials", column("trial_id"), column("study_id"), column("state"))
_STUDY_ATTRIBUTES = table("study_user_attributes", column("study_id"), column("key"), column("value_json"))
_TRIAL_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))


@dataclass(frozen=True, slots=True)
class StudyCounts:
    """Counts of a search's trials: those asked for, those of them that were begun, and all trials of the study by `trial_state`. A trial
    that was nothing new, tries a failed one again or continues a pruned one is none of those asked for."""

    n_trials: int
    begun: int
    states: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Number of trials that are not finished, or not begun."""
        return max(0, self.n_trials - self.begun) + sum(self.states.get(state, 0) for state in ("running", "interrupted", "waiting"))


def trial_state(state: str, *, is_driven: bool) -> str:
    """Return Optuna's state of a trial in lower case; `interrupted` where it is under way and no driver runs its sweep, whose next launch
    continues it."""
    return "interrupted" if state == "RUNNING" and not is_driven else state.lower()


_SEARCH, _DATA = re.compile(r"^(?:# --set )?method *[:=] *[\"']?optuna", re.MULTILINE), re.compile(r"^data *:", re.MULTILINE)


def is_grid(space: str) -> bool:
    """Tell whether the text of a sweep's space is that of a grid, though a study may have the sweep's name."""
    return bool(_DATA.search(space)) and not _SEARCH.search(space)


def searches(store: Store, sweeps: Sequence[str]) -> list[str]:
    """Return those of the sweeps whose spaces are searches, sorted."""
    columns = SweepRecord.name, SweepRecord.space
    with store.reading() as connection:
        return sorted(row.name for row in connection.execute(select(*columns)) if row.name in sweeps and _SEARCH.search(row.space))


def study_names(connection: Connection) -> list[str]:
    """Return the names of all studies of searches, sorted."""
    return sorted(study_counts(connection))


def study_counts(connection: Connection) -> dict[str, StudyCounts]:
    """Count the trials of every study, by its name, which is its sweep's."""
    if not inspect(connection).has_table("trial_user_attributes"):
        return {}
    wanted = select(_STUDIES.c.study_name, _STUDY_ATTRIBUTES.c.value_json).join(
        _STUDY_ATTRIBUTES, _STUDY_ATTRIBUTES.c.study_id == _STUDIES.c.study_id
    )
    asked = {name: int(json.loads(value)) for name, value in connection.execute(wanted.where(_STUDY_ATTRIBUTES.c.key == "n_trials"))}
    driven = frozenset(connection.execute(select(SweepRecord.name).where(SweepRecord.id.in_(living_sweeps(connection)))).scalars())
    states: defaultdict[str, Counter[str]] = defaultdict(Counter)
    begun: Counter[str] = Counter()
    for name, state, kind, retry, promotes, trials in connection.execute(_counted()):
        states[name][trial_state(state, is_driven=name in driven)] += trials
        begun[name] += trials if kind in (None, '"failed"') and retry is None and promotes is None else 0
    return {name: StudyCounts(number, begun[name], dict(states[name])) for name, number in asked.items()}


def _counted() -> Select[*tuple[Any, ...]]:
    """Select name, state, kind, the trial tried again and the trial continued, as JSON, and the number of trials."""
    kind, retry, promotes = (_TRIAL_ATTRIBUTES.alias(name) for name in ("kind", "retry", "promotes"))
    attributes = kind.c.value_json.label("kind"), retry.c.value_json.label("retry"), promotes.c.value_json.label("promotes")
    columns = _STUDIES.c.study_name, cast(_TRIALS.c.state, Text).label("state"), *attributes
    joined: Any = _TRIALS.join(_STUDIES, _STUDIES.c.study_id == _TRIALS.c.study_id)
    for attribute, key in ((kind, "kind"), (retry, "retry_of"), (promotes, "promotes")):
        joined = joined.outerjoin(attribute, and_(attribute.c.trial_id == _TRIALS.c.trial_id, attribute.c.key == key))
    return select(*columns, func.count()).select_from(joined).group_by(*columns)


FinishedRungs = Mapping[str, Sequence[Earlier]]
"""Finished rungs of each trunk, by its key, the furthest first."""


def finished_rungs(store: Store) -> FinishedRungs:
    """Return all rungs that the store has."""
    with store.reading() as connection:
        return _finished(connection)


def _finished(connection: Connection) -> FinishedRungs:
    job = JobRecord
    stopped = select(job.key, job.spec, job.digests, TrainedModelRecord.until)
    stopped = stopped.join(TrainedModelRecord, TrainedModelRecord.job_key == job.key)
    stopped = stopped.where(TrainedModelRecord.until.is_not(None), job.stage.in_(("pretrain", "fine_tune")), job.key_version == KEY_VERSION)
    edges = select(JobParentRecord.child_key, JobParentRecord.role, JobParentRecord.parent_key)
    edges = edges.join(TrainedModelRecord, TrainedModelRecord.job_key == JobParentRecord.child_key)
    parents: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for child, role, parent in connection.execute(edges.where(TrainedModelRecord.until.is_not(None))):
        parents[child][role] = parent
    found: defaultdict[str, list[Earlier]] = defaultdict(list)
    for key, text, digests, until in connection.execute(stopped.order_by(TrainedModelRecord.until.desc(), job.key)):
        if (spec := runnable_spec(text)) is not None and until is not None:
            trunk = Job(spec=spec, parents=parents[key], digests=digests or {}).trunk_key
            found[trunk].append(Earlier(key=key, epochs=until))
    return found


def spare_states(connection: Connection, artifacts: Artifacts) -> list[str]:
    """The rungs, sorted, whose kept training nothing will go on with: a further rung has kept its own, the trunk is trained to the end, or
    their keys are of an earlier version.

    Those that a running driver's sweep holds are not among them.
    """
    held = select(SweepJobRecord.job_key).where(SweepJobRecord.sweep_id.in_(living_sweeps(connection)))
    driven = frozenset(connection.execute(held).scalars())
    done = frozenset(connection.execute(select(JobRecord.key).where(JobRecord.state == "done")).scalars())
    rungs_of_old = select(JobRecord.key).join(TrainedModelRecord, TrainedModelRecord.job_key == JobRecord.key)
    rungs_of_old = rungs_of_old.where(TrainedModelRecord.until.is_not(None), JobRecord.key_version != KEY_VERSION)
    spare = [key for key in connection.execute(rungs_of_old).scalars() if artifacts.checkpoint_size(key)]
    for trunk, rungs in _finished(connection).items():
        kept = [rung.key for rung in rungs if artifacts.checkpoint_size(rung.key)]
        spare += kept if trunk in done else kept[1:]
    return sorted(set(spare) - driven)


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """Result of a job: its wall time, the parameters of a trained model, the flags (draws, examples) of an evaluation or attack."""

    seconds: float
    n_parameters: int | None = None
    correct: NDArray[np.bool_] | None = None


def job_outcomes(store: Store, keys: Iterable[str]) -> dict[str, JobOutcome]:
    """Return the outcomes of those of the jobs that train, evaluate, craft or attack, and whose results are recorded, by key."""
    asked = sorted(set(keys))
    with store.reading() as connection:
        return {key: outcome for chunk in chunks(asked) for key, outcome in _read(connection, chunk)}


def flags_of(store: Store, keys: Iterable[str]) -> dict[str, NDArray[np.bool_]]:
    """Return the flags, (draws, examples), of those of the jobs that have any and whose results are recorded, by key."""
    return {key: outcome.correct for key, outcome in job_outcomes(store, keys).items() if outcome.correct is not None}


def _read(connection: Connection, keys: Sequence[str]) -> Iterator[tuple[str, JobOutcome]]:
    for record in (CleanResultRecord, AttackResultRecord, ShardResultRecord):
        flags = select(record.job_key, record.seconds, record.flags, record.n_examples, record.draws)
        for row in connection.execute(flags.where(record.job_key.in_(keys))):
            yield row.job_key, JobOutcome(row.seconds, correct=unpack_flags(row.flags, n_examples=row.n_examples, draws=row.draws))
    crafted = select(CraftedExamplesRecord.job_key, CraftedExamplesRecord.seconds).where(CraftedExamplesRecord.job_key.in_(keys))
    yield from ((key, JobOutcome(seconds)) for key, seconds in connection.execute(crafted))
    yield from _trained(connection, keys)


def _trained(connection: Connection, keys: Sequence[str]) -> Iterator[tuple[str, JobOutcome]]:
    columns: tuple[Any, ...] = TrainedModelRecord.job_key, TrainedModelRecord.seconds, TrainedModelRecord.n_parameters
    for row in connection.execute(select(*columns).where(TrainedModelRecord.job_key.in_(keys))):
        yield row.job_key, JobOutcome(row.seconds, n_parameters=row.n_parameters)
