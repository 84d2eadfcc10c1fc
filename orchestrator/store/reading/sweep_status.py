"""Reads of the progress and the failures of sweeps."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import takewhile
from typing import Any, get_args

from sqlalchemy import Connection, func, select

from orchestrator.store.connection.session import Store, rows_in, sweep_id
from orchestrator.store.leases.leases import database_now, is_alive, living_sweeps
from orchestrator.store.reading.study_trials import StudyCounts, is_grid, study_counts
from orchestrator.store.reading.values import Failure, StageCounts, SweepStatus
from orchestrator.store.reading.varying_settings import job_labels
from orchestrator.store.schema.base import AnySelect
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobParentRecord, JobRecord, SweepJobRecord, SweepRecord
from workers.spec.fields import Stage

_SET = "# --set "
_STAGES: tuple[Stage, ...] = get_args(Stage)
Counts = dict[int, dict[Stage, Counter[str]]]


def sweep_status(store: Store, sweep: str | None) -> list[SweepStatus]:
    """Return the status of the sweep, or of every one by name. A `running` attempt of a dead driver does not count.

    Raises:
        UserError: no such sweep.
    """
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        counts = _counts(connection, number)
        records = select(SweepRecord).order_by(SweepRecord.name)
        rows = connection.execute(records if number is None else records.where(SweepRecord.id == number)).all()
        trials = study_counts(connection)
        now = database_now(connection)
    return [_status(row, counts.get(row.id, {}), now, None if is_grid(row.space) else trials.get(row.name)) for row in rows]


def failures(store: Store, sweep: str | None) -> list[Failure]:
    """Return the failed jobs in the space of the sweep (None: of any), by stage and key.

    Raises:
        UserError: no such sweep.
    """
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        # From the few failed jobs to their sweeps: the other way round every job of the sweep would be read.
        held = _in_space(select(SweepJobRecord.job_key).where(SweepJobRecord.job_key == JobRecord.key), number).exists()
        jobs = connection.execute(select(JobRecord.key, JobRecord.stage, JobRecord.spec).where(JobRecord.state == "failed", held)).all()
        columns = AttemptRecord.job_key, AttemptRecord.outcome, AttemptRecord.error, AttemptRecord.traceback
        attempts = defaultdict(list)
        statement = select(*columns).order_by(AttemptRecord.number)
        for row in rows_in(connection, statement, AttemptRecord.job_key, (job.key for job in jobs)):
            attempts[row.job_key].append(row)
        labels = job_labels(connection, {job.key: job.spec for job in jobs}, None if number is None else [number])
    found = [_failure(job, labels[job.key], attempts[job.key]) for job in jobs]
    return sorted(found, key=lambda failure: (_STAGES.index(failure.stage), failure.key))


def _in_space(statement: AnySelect, sweep: int | None) -> AnySelect:
    held = statement.where(SweepJobRecord.in_space)
    return held if sweep is None else held.where(SweepJobRecord.sweep_id == sweep)


def _counts(connection: Connection, sweep: int | None) -> Counts:
    """Count jobs by sweep and stage, in the database: a sweep of 100,000 jobs would take too long to count here.

    All jobs are counted by their sweep's rows; only those that are not done are read.
    """
    counts: Counts = defaultdict(lambda: defaultdict(Counter))
    columns = SweepJobRecord.sweep_id, SweepJobRecord.stage
    everything = _in_space(select(*columns, func.count()), sweep).group_by(*columns)
    for number, stage, jobs in connection.execute(everything):
        counts[number][stage]["done"] += jobs
    running, blocked = _running(living_sweeps(connection)), _blocked()
    planned = JobRecord.state == "planned"
    told_apart = [
        ("done", "failed", JobRecord.state == "failed"),
        ("done", "waiting", planned),
        ("waiting", "running", planned & JobRecord.key.in_(running)),
        ("waiting", "blocked", planned & JobRecord.key.in_(blocked) & JobRecord.key.not_in(running)),
    ]
    for taken_for, state, condition in told_apart:
        for number, stage, jobs in connection.execute(_counted(sweep).where(condition)):
            counts[number][stage][state] += jobs
            counts[number][stage][taken_for] -= jobs
    return counts


def _counted(sweep: int | None) -> AnySelect:
    """Select the number of jobs in a space by sweep and stage."""
    columns = SweepJobRecord.sweep_id, SweepJobRecord.stage
    statement = select(*columns, func.count()).select_from(JobRecord).join(SweepJobRecord, SweepJobRecord.job_key == JobRecord.key)
    return _in_space(statement, sweep).group_by(*columns)


def running_jobs(connection: Connection) -> set[str]:
    """Return the jobs that living drivers run."""
    return set(connection.execute(_running(living_sweeps(connection))).scalars())


def blocked_jobs(connection: Connection) -> set[str]:
    """Return the jobs with a failed ancestor."""
    return set(connection.execute(_blocked()).scalars())


def _running(living: Collection[int]) -> AnySelect:
    return select(AttemptRecord.job_key).where(AttemptRecord.outcome == "running", AttemptRecord.sweep_id.in_(living))


def _blocked() -> AnySelect:
    failed = select(JobRecord.key.label("key")).where(JobRecord.state == "failed")
    descended = select(JobParentRecord.child_key.label("key")).where(JobParentRecord.parent_key.in_(failed)).cte(recursive=True)
    further = select(JobParentRecord.child_key).join(descended, JobParentRecord.parent_key == descended.c.key)
    return select(descended.union(further).c.key)


def _status(row: Any, counts: dict[Stage, Counter[str]], now: datetime, trials: StudyCounts | None) -> SweepStatus:
    return SweepStatus(
        name=row.name,
        launched_at=row.launched_at,
        heartbeat_at=row.heartbeat_at,
        driver_alive=is_alive(row.heartbeat_at, row.driver_process, now=now),
        silent_seconds=None if row.heartbeat_at is None else max(0.0, (now - row.heartbeat_at).total_seconds()),
        driver_host=row.driver_host,
        driver_pid=row.driver_pid,
        stages={stage: StageCounts(**counts[stage]) for stage in _STAGES if stage in counts},
        trials=trials,
        command=row.command,
        overrides=_overrides(row.space),
    )


def _overrides(space: str) -> tuple[str, ...]:
    """The overrides that end the recorded text of a space; see `LoadedSpace.recorded_text`."""
    lines = reversed(space.splitlines())
    return tuple(line.removeprefix(_SET) for line in takewhile(lambda line: line.startswith(_SET), lines))[::-1]


def _failure(job: Any, label: str, attempts: Iterable[Any]) -> Failure:
    tried = list(attempts)
    said = [attempt for attempt in tried if attempt.outcome == "failed"]
    error, traceback = (said[-1].error or "", said[-1].traceback or "") if said else ("", "")
    return Failure(key=job.key, stage=job.stage, description=label, attempts=len(tried), error=error, traceback=traceback)
