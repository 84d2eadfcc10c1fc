"""Reads of one job, found by the first digits of its key."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from typing import Any, get_args

import numpy as np
from sqlalchemy import Connection, select

from orchestrator.naming.names import job_description
from orchestrator.statistics.intervals import accuracy_interval
from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.statistics.verdict import checks_of, reasons
from orchestrator.store.connection.session import Store
from orchestrator.store.reading.sweep_status import blocked_jobs, running_jobs
from orchestrator.store.reading.values import JobState
from orchestrator.store.reading.varying_settings import job_labels
from orchestrator.store.schema.base import Base
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
    VerdictRecord,
)
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobParentRecord, JobRecord, SweepJobRecord, SweepRecord
from orchestrator.terminal import hints
from workers.artifacts.outcomes import unpack_flags
from workers.errors import UserError
from workers.spec.fields import CRAFTED, Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Relative:
    """Parent or child of a job; `role` is the parent's part in the child."""

    key: str
    role: str
    stage: Stage
    description: str
    state: JobState


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepMembership:
    """Sweep that holds a job; not `in_space` where its space no longer contains it. `label` is the job's name among the others there."""

    sweep: str
    in_space: bool
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One execution of a job; `sweep` is the one that asked for it, None where none did, `error` one line."""

    number: int
    sweep: str | None
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    error: str | None
    traceback: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedResult:
    """Result of a finished job in the database, with the environment and the seconds in which it was computed.

    `values` are what its stage measures, under the names of the columns; per-example flags are there as `accuracy` with its 95 %
    interval, `ci_low` and `ci_high`, all in [0, 1].
    """

    seconds: float
    finished_at: datetime
    host: str
    device: str
    threads: int
    git_revision: str | None
    versions: Mapping[str, str]
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredVerdict:
    """Verdict on whether a model's figures can be believed; `reasons` say why not, the gravest first."""

    verdict: str
    reasons: tuple[str, ...]
    judged_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class JobDetails:
    """Everything that the store holds of one job. `spec` is its complete spec; `parent_seeds`, `digests` and `plugins` are as in `Job`;
    `dataset` that of the model that it trains or measures;
    `verdict` that on the model, for jobs that train one."""

    key: str
    key_version: int
    stage: Stage
    description: str
    state: JobState
    dataset: str
    spec: Mapping[str, Any]
    sweeps: tuple[SweepMembership, ...]
    parents: tuple[Relative, ...]
    parent_seeds: Mapping[str, str]
    digests: Mapping[str, str]
    plugins: tuple[Mapping[str, str], ...]
    children: tuple[Relative, ...]
    attempts: tuple[Attempt, ...]
    result: RecordedResult | None
    verdict: StoredVerdict | None


FEWEST_DIGITS = 4
_MOST_NAMED = 5
_STAGES: tuple[Stage, ...] = get_args(Stage)
_MEASURED: dict[type[Base], tuple[str, ...]] = {
    TrainedModelRecord: ("n_parameters", "rank", "history"),
    CleanResultRecord: ("n_examples", "draws", "n_correct"),
    AttackResultRecord: ("n_examples", "draws", "n_correct", "metrics"),
    CraftedExamplesRecord: ("n_examples", "max_perturbation"),
    DiagnosisRecord: ("n_examples", "draws", "zero_gradients", "nonfinite_gradients", "probes"),
    CorruptionResultRecord: ("n_examples", "draws", "n_correct"),
    ShardResultRecord: ("first", "n_examples", "of_examples", "draws", "n_correct"),
    SurfaceRecord: ("source_key", "label", "clean_loss", "least_loss", "greatest_loss"),
}
"""Columns of each table of results that are not in the job's spec."""


class _States:
    """States of planned jobs at one moment; read only if there are any."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def running(self) -> set[str]:
        return running_jobs(self._connection)

    @cached_property
    def blocked(self) -> set[str]:
        return blocked_jobs(self._connection)

    def of(self, key: str, recorded: str) -> JobState:
        if recorded == "planned":
            return "running" if key in self.running else "blocked" if key in self.blocked else "waiting"
        return "done" if recorded == "done" else "failed"


def find_key(store: Store, digits: str) -> str:
    """Return the key of the one job whose key begins with these hex digits, at least four of them.

    Raises:
        UserError: fewer digits, no such job, or several.
    """
    with store.reading() as connection:
        return _find_key(connection, digits)


def job_details(store: Store, digits: str) -> JobDetails:
    """Return everything that is recorded of the job whose key begins with these hex digits.

    Parents are sorted by role, children by stage and description, attempts by number, sweeps by name.

    Raises:
        UserError: see `find_key`.
    """
    with store.reading() as connection:
        key = _find_key(connection, digits)
        job = connection.execute(select(JobRecord.__table__).where(JobRecord.key == key)).one()
        states = _States(connection)
        return JobDetails(
            key=key,
            key_version=job.key_version,
            stage=job.stage,
            description=job_description(job.spec),
            state=states.of(key, job.state),
            dataset=_dataset(connection, key),
            spec=json.loads(job.spec),
            sweeps=_holders(connection, key),
            parents=_relatives(connection, key, states, parents=True),
            parent_seeds=_parent_seeds(connection, key),
            digests=job.digests or {},
            plugins=tuple(job.plugins or ()),
            children=_relatives(connection, key, states, parents=False),
            attempts=_attempts(connection, key),
            result=_result(connection, key),
            verdict=_verdict(connection, key),
        )


def _find_key(connection: Connection, digits: str) -> str:
    prefix = digits.lower()
    if len(prefix) < FEWEST_DIGITS or set(prefix) - set("0123456789abcdef"):
        raise UserError(f"key '{digits}': must be the first {FEWEST_DIGITS} or more hex digits of a job's key; {_listing()}")
    after_any_digit = prefix + "g"  # a range, so that the index is used
    statement = select(JobRecord.key, JobRecord.stage).where(JobRecord.key >= prefix, JobRecord.key < after_any_digit)
    found = connection.execute(statement.order_by(JobRecord.key)).all()
    if not found:
        raise UserError(f"key '{digits}': no such job in the store; {_listing()}")
    if len(found) > 1:
        raise UserError(
            f"key '{digits}': {len(found)} jobs begin so, {_candidates([(row.key, row.stage) for row in found])}; give more digits"
        )
    key: str = found[0].key
    return key


def _listing() -> str:
    """The commands that list keys."""
    jobs, results = hints.command("plan", "SPACE", more=["--jobs"]), hints.command("results", more=["-f", "json"])
    return f"`{jobs}` and `{results}` list keys"


def _candidates(found: list[tuple[str, str]]) -> str:
    """List the first of the jobs, with enough digits to distinguish them all."""
    digits = next(size for size in range(8, 65) if len({key[:size] for key, _ in found}) == len(found))
    named = [f"{key[:digits]} ({stage})" for key, stage in found[:_MOST_NAMED]]
    return ", ".join([*named, *(["..."] if len(found) > _MOST_NAMED else [])])


def _dataset(connection: Connection, key: str) -> str:
    """Return the data set of the model that the job trains or measures."""
    spec = json.loads(connection.execute(select(JobRecord.spec).where(JobRecord.key == key)).scalar_one())
    if "data" in spec:
        return str(spec["data"]["name"])
    model = select(JobParentRecord.parent_key).where(JobParentRecord.child_key == key, JobParentRecord.role == "model")
    return _dataset(connection, connection.execute(model).scalar_one())


def _holders(connection: Connection, key: str) -> tuple[SweepMembership, ...]:
    columns = SweepRecord.id, SweepRecord.name, SweepJobRecord.in_space
    statement = select(*columns).join(SweepJobRecord, SweepJobRecord.sweep_id == SweepRecord.id)
    rows = connection.execute(statement.where(SweepJobRecord.job_key == key).order_by(SweepRecord.name)).all()
    specs = {key: connection.execute(select(JobRecord.spec).where(JobRecord.key == key)).scalar_one()}
    return tuple(SweepMembership(sweep=row.name, in_space=row.in_space, label=job_labels(connection, specs, [row.id])[key]) for row in rows)


def _relatives(connection: Connection, key: str, states: _States, *, parents: bool) -> tuple[Relative, ...]:
    edge = JobParentRecord
    mine, other = (edge.child_key, edge.parent_key) if parents else (edge.parent_key, edge.child_key)
    statement = select(JobRecord.key, edge.role, JobRecord.stage, JobRecord.spec, JobRecord.state).join(edge, other == JobRecord.key)
    found = [
        Relative(key=row.key, role=row.role, stage=row.stage, description=job_description(row.spec), state=states.of(row.key, row.state))
        for row in connection.execute(statement.where(mine == key))
    ]
    if parents:
        return tuple(sorted(found, key=lambda item: item.role))
    return tuple(sorted(found, key=lambda item: (_STAGES.index(item.stage), item.description, item.key)))


def _parent_seeds(connection: Connection, key: str) -> dict[str, str]:
    """The parents' seed keys by role; jobs of earlier key versions have none."""
    edge = JobParentRecord
    statement = select(edge.role, JobRecord.seed_key).join(JobRecord, JobRecord.key == edge.parent_key).where(edge.child_key == key)
    return {row.role: row.seed_key for row in connection.execute(statement) if row.seed_key is not None}


def _attempts(connection: Connection, key: str) -> tuple[Attempt, ...]:
    columns = (AttemptRecord.__table__.c[field.name] for field in fields(Attempt) if field.name != "sweep")
    statement = select(*columns, SweepRecord.name.label("sweep")).outerjoin(SweepRecord, SweepRecord.id == AttemptRecord.sweep_id)
    rows = connection.execute(statement.where(AttemptRecord.job_key == key).order_by(AttemptRecord.number))
    return tuple(Attempt(**row) for row in rows.mappings())


def _result(connection: Connection, key: str) -> RecordedResult | None:
    for record, measured in _MEASURED.items():
        table = record.__table__
        statement = select(table, *_where_and_with_what()).join(EnvironmentRecord, EnvironmentRecord.id == table.c.environment_id)
        row = connection.execute(statement.where(table.c.job_key == key)).mappings().one_or_none()
        if row is not None:
            values = {name: row[name] for name in measured} | _accuracy(row)
            common = ("seconds", "finished_at", *(column.name for column in _where_and_with_what()))
            return RecordedResult(values=values, **{name: row[name] for name in common})
    return None


def _where_and_with_what() -> list[Any]:
    return [column for column in EnvironmentRecord.__table__.columns if column.name != "id"]


def _accuracy(row: Mapping[Any, Any]) -> dict[str, float]:
    if "flags" not in row:
        return {}
    correct = unpack_flags(row["flags"], n_examples=row["n_examples"], draws=row["draws"])
    draws = SharedDraws(batch=row["batch_size"], crafted="knowledge" in row and row["knowledge"] not in CRAFTED)
    return dict(zip(("accuracy", "ci_low", "ci_high"), accuracy_interval(np.stack([correct]), draws), strict=True))


def _verdict(connection: Connection, key: str) -> StoredVerdict | None:
    row = connection.execute(select(VerdictRecord.__table__).where(VerdictRecord.model_key == key)).one_or_none()
    if row is None:
        return None
    return StoredVerdict(verdict=row.verdict, reasons=reasons(checks_of(row.checks)), judged_at=row.judged_at)
