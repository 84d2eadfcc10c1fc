"""Reads for watching a sweep: running jobs, finished jobs, their machines. Each reads a bounded number of rows, however large the store
is, but for the settings of the sweep's models, by which running jobs are named."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import select, union_all

from orchestrator.store.connection.session import Store, chunks, sweep_id
from orchestrator.store.leases.leases import living_sweeps
from orchestrator.store.reading.report_evidence import OUTCOMES
from orchestrator.store.reading.varying_settings import job_labels
from orchestrator.store.schema.result_tables import CleanResultRecord, EnvironmentRecord
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord, SweepRecord
from workers.spec.fields import ExampleOrder, Stage

MOST_FINISHED = 2000
_MOST_TIMED = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepHead:
    """Name and state of a sweep, without its jobs."""

    name: str
    launched_at: datetime | None
    driver_alive: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningJob:
    """Job that a worker of a living driver runs; `attempt` counts from 1."""

    key: str
    stage: Stage
    description: str
    attempt: int
    started_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedJob:
    """Attempt at a job that succeeded."""

    key: str
    stage: Stage
    started_at: datetime
    finished_at: datetime

    @property
    def seconds(self) -> float:
        return max(0.0, (self.finished_at - self.started_at).total_seconds())  # a clock may have been set back


@dataclass(frozen=True, kw_only=True, slots=True)
class MachinePlace:
    """Host and device that jobs ran on."""

    host: str
    device: str
    threads: int


def sweep_heads(store: Store) -> list[SweepHead]:
    """Return all sweeps, those that run first, then the last launched; never launched ones last."""
    columns = SweepRecord.id, SweepRecord.name, SweepRecord.launched_at
    with store.reading() as connection:
        rows = connection.execute(select(*columns).order_by(SweepRecord.name)).all()
        living = living_sweeps(connection)
    heads = [SweepHead(name=name, launched_at=launched, driver_alive=number in living) for number, name, launched in rows]
    return sorted(heads, key=lambda head: (not head.driver_alive, -head.launched_at.timestamp() if head.launched_at else 0.0))


def running_jobs(store: Store, sweep: str) -> list[RunningJob]:
    """Return the jobs that the sweep's workers run, the longest running first; none where its driver is dead.

    Raises:
        UserError: no such sweep.
    """
    columns: list[Any] = [JobRecord.key, JobRecord.stage, JobRecord.spec, AttemptRecord.number, AttemptRecord.started_at]
    with store.reading() as connection:
        number = sweep_id(connection, sweep)
        statement = select(*columns).join(AttemptRecord, AttemptRecord.job_key == JobRecord.key)
        driven = AttemptRecord.sweep_id.in_({number} & living_sweeps(connection))
        running = statement.where(driven, AttemptRecord.outcome == "running")
        rows = connection.execute(running.order_by(AttemptRecord.started_at, JobRecord.key)).all()
        labels = job_labels(connection, {row.key: row.spec for row in rows}, [number])
    return [
        RunningJob(key=key, stage=stage, description=labels[key], attempt=attempt, started_at=started)
        for key, stage, _, attempt, started in rows
    ]


def finished_jobs(store: Store, sweep: str, *, stage: Stage | None = None) -> list[FinishedJob]:
    """Return the last jobs that the sweep itself finished, the last begun first: `MOST_FINISHED` of any stage, or 200 of one.

    Raises:
        UserError: no such sweep.
    """
    columns: list[Any] = [JobRecord.key, JobRecord.stage, AttemptRecord.started_at, AttemptRecord.finished_at]
    with store.reading() as connection:
        number = sweep_id(connection, sweep)
        statement = select(*columns).select_from(AttemptRecord).join(JobRecord, JobRecord.key == AttemptRecord.job_key)
        statement = statement.where(AttemptRecord.sweep_id == number, AttemptRecord.outcome == "done")
        if stage is not None:
            statement = statement.where(JobRecord.stage == stage)
        rows = connection.execute(statement.order_by(AttemptRecord.id.desc()).limit(MOST_FINISHED if stage is None else _MOST_TIMED)).all()
    return [FinishedJob(key=key, stage=stage, started_at=started, finished_at=finished) for key, stage, started, finished in rows]


def running_elsewhere(store: Store, *, sweep: str) -> frozenset[str]:
    """Return the jobs that workers of other sweeps' living drivers run."""
    attempt = AttemptRecord
    with store.reading() as connection:
        own = connection.execute(select(SweepRecord.id).where(SweepRecord.name == sweep)).scalar_one_or_none()
        others = sorted(living_sweeps(connection) - {own})
        if not others:
            return frozenset()
        running = select(attempt.job_key).where(attempt.sweep_id.in_(others), attempt.outcome == "running")
        return frozenset(connection.execute(running).scalars())


def places_of(store: Store, keys: Collection[str]) -> dict[str, MachinePlace]:
    """Return the hosts and devices of finished jobs, by their keys; jobs without result are left out."""
    environment = EnvironmentRecord
    columns = environment.host, environment.device, environment.threads
    found: dict[str, MachinePlace] = {}
    with store.reading() as connection:
        for chunk in chunks(sorted(keys)):
            ran = union_all(*(select(record.job_key, record.environment_id).where(record.job_key.in_(chunk)) for record in OUTCOMES))
            jobs = ran.subquery()
            for key, host, device, threads in connection.execute(
                select(jobs.c.job_key, *columns).join(environment, environment.id == jobs.c.environment_id)
            ):
                found[key] = MachinePlace(host=host, device=device, threads=threads)
    return found


def mean_seconds(jobs: Collection[FinishedJob]) -> dict[Stage, float]:
    """Return the mean seconds of a job of each stage."""
    taken: dict[Stage, list[float]] = defaultdict(list)
    for job in jobs:
        taken[job.stage].append(job.seconds)
    return {stage: sum(seconds) / len(seconds) for stage, seconds in taken.items()}


def evaluation_keys(store: Store, model_key: str) -> dict[str, ExampleOrder]:
    """Return the jobs that measured the model on test without attack, and the order of their examples."""
    clean = CleanResultRecord
    on_test = clean.model_key == model_key, clean.split == "test"
    statement = select(clean.job_key, clean.example_order).where(*on_test).order_by(clean.repeat, clean.job_key)
    with store.reading() as connection:
        return {key: cast("ExampleOrder", order) for key, order in connection.execute(statement)}
