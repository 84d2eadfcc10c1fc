"""Reads of what result rows leave out: training histories, costs of jobs, scores of examples, provenance of a sweep."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, literal, or_, select

from orchestrator.naming.own_settings import sortable
from orchestrator.naming.varying_axes import Axes
from orchestrator.statistics.worst_case import Flags
from orchestrator.store.connection.session import Store, of_sweep, sweep_id
from orchestrator.store.reading.varying_settings import model_settings
from orchestrator.store.schema.base import AnySelect
from orchestrator.store.schema.result_tables import (
    AttackResultRecord,
    CleanResultRecord,
    CorruptionResultRecord,
    CraftedExamplesRecord,
    DiagnosisRecord,
    EnvironmentRecord,
    ShardResultRecord,
    SurfaceRecord,
    TrainedModelRecord,
)
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord, SweepJobRecord, SweepRecord
from workers.artifacts.outcomes import unpack_each, unpack_flags


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRun:
    """Training of a model: one entry of `history` for each epoch, as `EpochRecord`; none where only a defence was put around it.
    `settings` are all of its own and of its ancestors' trainings, by their names in a space; see `axes.Axes`."""

    sweep: str
    model_key: str
    stage: str
    dataset: str
    model: str
    model_settings: Mapping[str, Any]
    theta: float
    rank_fraction: float | None
    adversarial_training: str
    defence: str
    seed: int
    history: tuple[Mapping[str, float], ...]
    seconds: float
    rank_fractions: Mapping[str, float] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobCosts:
    """Seconds of each job of a sweep by its key, and the jobs whose work it continues (weights, crafted examples)."""

    seconds: Mapping[str, float]
    parents: Mapping[str, tuple[str, ...]]
    models: frozenset[str]

    def training(self, model_key: str) -> float | None:
        """Return the seconds of the model's training, all its ancestors included; None where the store lacks one of them."""
        return self._sum([model_key], frozenset())

    def measuring(self, job_keys: Iterable[str]) -> float | None:
        """Return the total seconds of evaluations or attacks, with the examples crafted for them (once), without the training."""
        return self._sum(job_keys, self.models)

    def _sum(self, keys: Iterable[str], left_out: frozenset[str]) -> float | None:
        found: set[str] = set()
        frontier = set(keys)
        while frontier:
            found |= frontier
            frontier = {parent for key in frontier for parent in self.parents.get(key, ())} - found - left_out
        took = [self.seconds.get(key) for key in found]
        return None if None in took else round(sum(seconds for seconds in took if seconds is not None), 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExampleScores:
    """Counts of right classifications of each of the same examples, by all models of a sweep under attacks of one knowledge.

    They are the first of an `order`. `right` (examples,) counts the evaluations that were right, of `evaluations`: models x attacks x
    repeats x draws.
    """

    dataset: str
    n_examples: int
    order: str
    knowledge: str
    right: NDArray[np.int64]
    evaluations: int
    split: str = "test"


@dataclass(frozen=True, kw_only=True, slots=True)
class UsedEnvironment:
    """Environment in which `jobs` of a sweep ran, with the first and the last time that one finished."""

    host: str
    device: str
    threads: int
    git_revision: str | None
    versions: Mapping[str, str]
    jobs: int
    first_finished_at: datetime
    last_finished_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Origin of a sweep's results: its space as it was launched last, and the environments of its jobs."""

    sweep: str
    space: str
    created_at: datetime
    launched_at: datetime | None
    environments: tuple[UsedEnvironment, ...]


OUTCOMES = (
    TrainedModelRecord,
    CleanResultRecord,
    CraftedExamplesRecord,
    AttackResultRecord,
    DiagnosisRecord,
    SurfaceRecord,
    CorruptionResultRecord,
    ShardResultRecord,
)


def training_runs(store: Store, sweep: str | None) -> list[TrainingRun]:
    """Return the training of every model of the sweep (None: of each), by theta (1 first), rank, stage and what else varies; those that
    were stopped at a rung are left out.

    Raises:
        UserError: no such sweep.
    """
    record = TrainedModelRecord
    network = ("dataset", "model", "model_settings", "theta", "rank_fraction", "rank_fractions")
    named = (*network, "adversarial_training", "defence", "seed", "history", "seconds")
    columns = [
        SweepRecord.name.label("sweep"),
        record.job_key.label("model_key"),
        JobRecord.stage,
        *(getattr(record, name) for name in named),
    ]
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        statement = of_sweep(select(*columns).select_from(record).where(record.until.is_(None)), record.job_key, number)
        statement = statement.join(JobRecord, JobRecord.key == record.job_key).join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id)
        rows = connection.execute(statement).mappings().all()
        settings = model_settings(connection, {row["model_key"] for row in rows})
    found = [TrainingRun(**_frozen(row), settings=settings[row["model_key"]]) for row in rows]
    varying = Axes.of(run.settings for run in found).titles
    return sorted(found, key=lambda run: (run.sweep, -run.theta, run.rank_fraction or 0.0, run.stage, *_place(run, varying), run.model_key))


def _place(run: TrainingRun, names: Iterable[str]) -> Iterator[tuple[int, float, str]]:
    return (sortable(run.settings.get(name)) for name in names)


def job_costs(store: Store, sweep: str | None) -> JobCosts:
    """Return the seconds of every finished job of the sweep (None: every job), its ancestors and the rungs that it resumed from.

    Raises:
        UserError: no such sweep.
    """
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        edges = select(JobParentRecord.child_key, JobParentRecord.parent_key)
        parents: dict[str, list[str]] = defaultdict(list)
        for child, parent in connection.execute(edges if number is None else of_sweep(edges, JobParentRecord.child_key, number)).all():
            parents[child].append(parent)
        seconds: dict[str, float] = {}
        for record in OUTCOMES:
            statement = select(record.job_key, record.seconds)
            wanted = statement if number is None else of_sweep(statement, record.job_key, number)
            seconds.update((key, took) for key, took in connection.execute(wanted).all())
        trained = TrainedModelRecord.job_key, TrainedModelRecord.resumed_key, TrainedModelRecord.seconds
        partly = or_(TrainedModelRecord.until.is_not(None), TrainedModelRecord.resumed_key.is_not(None))
        for key, resumed, took in connection.execute(select(*trained).where(partly)).all():
            seconds[key] = took
            parents[key] += [] if resumed is None else [resumed]
        models = frozenset(connection.execute(select(TrainedModelRecord.job_key)).scalars())
    return JobCosts(seconds=seconds, parents={child: tuple(found) for child, found in parents.items()}, models=models)


class _SameExamples(NamedTuple):
    dataset: str
    split: str
    n_examples: int
    order: str
    knowledge: str


def example_scores(store: Store, sweep: str | None) -> list[ExampleScores]:
    """Count how often each example was right, by data set, split, number and order of examples, and knowledge (`none`: no attack, first).
    Models that were stopped at a rung are left out.

    Raises:
        UserError: no such sweep.
    """
    right: dict[_SameExamples, NDArray[np.int64]] = {}
    evaluations: dict[_SameExamples, int] = defaultdict(int)
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        for record in (CleanResultRecord, AttackResultRecord):
            for rows in connection.execute(_flags_of(record, number)).yield_per(1000).partitions():
                together: dict[tuple[_SameExamples, int], list[bytes]] = defaultdict(list)
                for *examples, draws, flags in rows:
                    together[_SameExamples(*examples), draws].append(flags)
                for (group, draws), packed in together.items():
                    right.setdefault(group, np.zeros(group.n_examples, dtype=np.int64))
                    right[group] += unpack_each(packed, n_examples=group.n_examples, draws=draws).sum(axis=(0, 1))
                    evaluations[group] += draws * len(packed)
    return [
        ExampleScores(**group._asdict(), right=count, evaluations=evaluations[group])
        for group, count in sorted(right.items(), key=lambda item: (*item[0][:4], item[0].knowledge != "none", item[0].knowledge))
    ]


def example_flags(store: Store, job_keys: Iterable[str]) -> dict[str, Flags]:
    """Return flags, true where an example was right in an evaluation or attack, (draws, examples), by job key, without unknown keys."""
    keys = list(job_keys)
    found: dict[str, Flags] = {}
    with store.reading() as connection:
        for record in (CleanResultRecord, AttackResultRecord):
            statement = select(record.job_key, record.flags, record.n_examples, record.draws).where(record.job_key.in_(keys))
            for key, flags, n_examples, draws in connection.execute(statement):
                found[key] = unpack_flags(flags, n_examples=n_examples, draws=draws)
    return found


def provenance(store: Store, sweep: str) -> Provenance:
    """Return the origin of the sweep's results; environments by the number of their jobs, most first.

    Raises:
        UserError: no such sweep.
    """
    with store.reading() as connection:
        number = sweep_id(connection, sweep)
        columns = SweepRecord.space, SweepRecord.created_at, SweepRecord.launched_at
        row = connection.execute(select(*columns).where(SweepRecord.id == number)).one()
        finished: dict[str, list[tuple[int, datetime, datetime]]] = defaultdict(list)
        for record in OUTCOMES:
            found = select(record.environment_id, func.count(), func.min(record.finished_at), func.max(record.finished_at))
            for environment, *counted in connection.execute(of_sweep(found, record.job_key, number).group_by(record.environment_id)):
                finished[environment].append(tuple(counted))
        used = [_used(connection, environment, counted) for environment, counted in finished.items()]
    ordered = tuple(sorted(used, key=lambda environment: -environment.jobs))
    return Provenance(sweep=sweep, space=row.space, created_at=row.created_at, launched_at=row.launched_at, environments=ordered)


def _frozen(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def _flags_of(record: type[CleanResultRecord | AttackResultRecord], sweep: int | None) -> AnySelect:
    knowledge = record.knowledge if record is AttackResultRecord else literal("none")
    examples = TrainedModelRecord.dataset, record.split, record.n_examples, record.example_order, knowledge
    statement: AnySelect = select(*examples, record.draws, record.flags)
    statement = statement.select_from(record).join(TrainedModelRecord, TrainedModelRecord.job_key == record.model_key)
    statement = statement.where(TrainedModelRecord.until.is_(None))
    return statement if sweep is None else of_sweep(statement, record.job_key, sweep)


def _used(connection: Connection, environment: str, counted: list[tuple[int, datetime, datetime]]) -> UsedEnvironment:
    columns = (column for column in EnvironmentRecord.__table__.columns if column.name != "id")
    row = connection.execute(select(*columns).where(EnvironmentRecord.id == environment)).mappings().one()
    return UsedEnvironment(
        **row,
        jobs=sum(jobs for jobs, _, _ in counted),
        first_finished_at=min(first for _, first, _ in counted),
        last_finished_at=max(last for _, _, last in counted),
    )
