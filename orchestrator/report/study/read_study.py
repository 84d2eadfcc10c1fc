"""Study of a sweep as frozen values, read from Optuna's tables in the store's database; nothing is written, and no table is made."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import inspect, select

from orchestrator.search.optuna_storage import open_tables
from orchestrator.search.trial_index import JOB_KEYS, KIND, MODEL_KEY, REASON
from orchestrator.store import Store
from orchestrator.store.leases.leases import living_sweeps
from orchestrator.store.reading.study_trials import is_grid, trial_state
from orchestrator.store.schema.sweep_tables import SweepRecord
from search_spaces import ObjectiveGoal, ParameterValue


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Trial as the study has it, its `state` by `trial_state`. `kind` is its origin, empty where the sampler suggested it; `violations` is
    the violation of each constraint (at most 0 where satisfied), `reason` the reason that it has no values."""

    number: int
    state: str
    kind: str
    params: Mapping[str, ParameterValue]
    values: tuple[float, ...] | None
    violations: Mapping[str, float]
    model_key: str | None
    job_keys: frozenset[str]
    reason: str

    @property
    def is_feasible(self) -> bool:
        return all(violation <= 0 for violation in self.violations.values())


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """Study: its objectives in words with their goals, and its trials by number."""

    name: str
    objectives: tuple[str, ...]
    goals: tuple[ObjectiveGoal, ...]
    trials: tuple[Trial, ...]

    @property
    def complete(self) -> list[Trial]:
        """Trials with values, each computation once."""
        return [trial for trial in self.trials if trial.values is not None and trial.state == "complete" and trial.kind != "duplicate"]


def read_study(store: Store, sweep: str) -> StudyRecord | None:
    """Return the study of that name, or None where the database has none, or the sweep is a grid now.

    Raises:
        UserError: the study's tables are of another Optuna.
    """
    with store.reading() as connection:
        row = connection.execute(select(SweepRecord.id, SweepRecord.space).where(SweepRecord.name == sweep)).one_or_none()
        if not inspect(connection).has_table("studies") or (row is not None and is_grid(row.space)):
            return None
        is_driven = row is not None and row.id in living_sweeps(connection)
    with _storage(store) as storage:
        if sweep not in optuna.get_all_study_names(storage):
            return None
        study = optuna.load_study(study_name=sweep, storage=storage)
        goals = tuple(_goal(direction) for direction in study.directions)
        trials = study.get_trials(deepcopy=False)
        return StudyRecord(
            name=sweep,
            objectives=_objectives(study, len(goals)),
            goals=goals,
            trials=tuple(_trial(trial, is_driven=is_driven) for trial in trials),
        )


@contextmanager
def _storage(store: Store) -> Iterator[RDBStorage]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = open_tables(store, skip_table_creation=True)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _goal(direction: StudyDirection) -> ObjectiveGoal:
    return "minimize" if direction == StudyDirection.MINIMIZE else "maximize"


def _objectives(study: Study, number: int) -> tuple[str, ...]:
    with warnings.catch_warnings(action="ignore"):  # the names are experimental in Optuna
        names: Sequence[str] = study.metric_names or [f"objective {place}" for place in range(number)]
    return tuple(names)


def _trial(trial: FrozenTrial, *, is_driven: bool) -> Trial:
    attributes = trial.user_attrs
    return Trial(
        number=trial.number,
        state=trial_state(trial.state.name, is_driven=is_driven),
        kind=str(attributes.get(KIND, "")),
        params=cast("Mapping[str, ParameterValue]", dict(trial.params)),
        values=None if trial.state != TrialState.COMPLETE or trial.values is None else tuple(trial.values),
        violations=dict(trial.constraints),
        model_key=attributes.get(MODEL_KEY),
        job_keys=frozenset(attributes.get(JOB_KEYS, ())),
        reason=str(attributes.get(REASON, "")),
    )
