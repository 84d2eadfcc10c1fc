"""Reads of how far sweeps are and what went wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, get_args

from sqlalchemy import Connection, Select, select

from orchestrator.store.columns import utc_now
from orchestrator.store.describe import describe
from orchestrator.store.lookup import sweep_id
from orchestrator.store.models import AttemptRecord, JobParentRecord, JobRecord, SweepJobRecord, SweepRecord
from orchestrator.store.session import Store
from orchestrator.store.values import Failure, StageCounts, SweepStatus
from workers.fields import Stage

ALIVE = timedelta(seconds=30)
"""A driver whose heartbeat is older than this is taken for dead."""

_STAGES: tuple[Stage, ...] = get_args(Stage)
AnySelect = Select[*tuple[Any, ...]]
Counts = dict[int, dict[Stage, Counter[str]]]


def sweep_status(store: Store, sweep: str | None, *, now: datetime | None = None) -> list[SweepStatus]:
    """The sweep, or every one by name, as of `now` (the clock's time if None). A `running` attempt of a dead driver does not count.

    Raises:
        UserError: no such sweep.
    """
    since = (now or utc_now()) - ALIVE
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        counts = _counts(connection, number, since)
        records = select(SweepRecord).order_by(SweepRecord.name)
        rows = connection.execute(records if number is None else records.where(SweepRecord.id == number)).all()
    return [_status(row, counts.get(row.id, {}), since) for row in rows]


def failures(store: Store, sweep: str | None) -> list[Failure]:
    """The failed jobs in the space of the sweep (None: of any), by stage and key.

    Raises:
        UserError: no such sweep.
    """
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        failed = _in_space(select(SweepJobRecord.job_key), number).where(JobRecord.state == "failed")
        jobs = connection.execute(select(JobRecord.key, JobRecord.stage, JobRecord.spec).where(JobRecord.key.in_(failed))).all()
        columns = AttemptRecord.job_key, AttemptRecord.outcome, AttemptRecord.error, AttemptRecord.traceback
        statement = select(*columns).where(AttemptRecord.job_key.in_(failed)).order_by(AttemptRecord.number)
        attempts = defaultdict(list)
        for row in connection.execute(statement):
            attempts[row.job_key].append(row)
    found = [_failure(job, attempts[job.key]) for job in jobs]
    return sorted(found, key=lambda failure: (_STAGES.index(failure.stage), failure.key))


def _in_space(statement: AnySelect, sweep: int | None) -> AnySelect:
    joined = statement.join(JobRecord, JobRecord.key == SweepJobRecord.job_key).where(SweepJobRecord.in_space)
    return joined if sweep is None else joined.where(SweepJobRecord.sweep_id == sweep)


def _counts(connection: Connection, sweep: int | None, since: datetime) -> Counts:
    running = running_jobs(connection, since)
    blocked = blocked_jobs(connection)
    counts: Counts = defaultdict(lambda: defaultdict(Counter))
    for row in connection.execute(_in_space(select(SweepJobRecord.sweep_id, JobRecord.key, JobRecord.stage, JobRecord.state), sweep)):
        state = row.state
        if state == "planned":
            state = "running" if row.key in running else "blocked" if row.key in blocked else "waiting"
        counts[row.sweep_id][row.stage][state] += 1
    return counts


def running_jobs(connection: Connection, since: datetime) -> set[str]:
    """The jobs that a driver runs which was alive at that time."""
    alive = select(AttemptRecord.job_key).join(SweepRecord, SweepRecord.id == AttemptRecord.sweep_id)
    return set(connection.execute(alive.where(AttemptRecord.outcome == "running", SweepRecord.heartbeat_at >= since)).scalars())


def blocked_jobs(connection: Connection) -> set[str]:
    """The jobs with a failed ancestor."""
    frontier = set(connection.execute(select(JobRecord.key).where(JobRecord.state == "failed")).scalars())
    if not frontier:
        return set()
    children = defaultdict(set)
    for row in connection.execute(select(JobParentRecord.parent_key, JobParentRecord.child_key)):
        children[row.parent_key].add(row.child_key)
    blocked: set[str] = set()
    while frontier:
        frontier = set().union(*(children[key] for key in frontier)) - blocked
        blocked |= frontier
    return blocked


def _status(row: Any, counts: dict[Stage, Counter[str]], since: datetime) -> SweepStatus:
    return SweepStatus(
        name=row.name,
        launched_at=row.launched_at,
        heartbeat_at=row.heartbeat_at,
        driver_alive=row.heartbeat_at is not None and row.heartbeat_at >= since,
        driver_host=row.driver_host,
        driver_pid=row.driver_pid,
        stages={stage: StageCounts(**counts[stage]) for stage in _STAGES if stage in counts},
    )


def _failure(job: Any, attempts: Iterable[Any]) -> Failure:
    tried = list(attempts)
    said = [attempt for attempt in tried if attempt.outcome == "failed"]
    error, traceback = (said[-1].error, said[-1].traceback) if said else ("", "")
    return Failure(key=job.key, stage=job.stage, description=describe(job.spec), attempts=len(tried), error=error, traceback=traceback)
