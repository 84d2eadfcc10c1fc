"""The place that writes rows as a sweep runs; only the driver calls it. Each function is one transaction.

Only `merge.py` (imports) and `prune.py` (deletions) write besides.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Table, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.store.columns import Base, table_of, utc_now
from orchestrator.store.ensembles import refresh_worst_cases
from orchestrator.store.judging import refresh_verdict, unjudged_models
from orchestrator.store.lookup import sweep_id
from orchestrator.store.models import AttemptRecord, JobParentRecord, JobRecord, SweepJobRecord, SweepRecord
from orchestrator.store.result_models import (
    AttackResultRecord,
    DiagnosisRecord,
    EnvironmentRecord,
    TrainedModelRecord,
)
from orchestrator.store.rows import Row, environment_row, job_row, outcome_row, parent_rows
from orchestrator.store.session import Store
from workers.results import Result
from workers.specs import Job

Ending = Literal["failed", "interrupted"]


def record_sweep(store: Store, *, name: str, space_text: str, jobs: Sequence[Job]) -> None:
    """Make the sweep, or give it a new space: it then holds `jobs`, and its older ones as out of the space.

    Jobs that the store knows already, from this or another sweep, keep their state. The parents of every job must be among `jobs`
    or in the store.
    """
    # All writers insert in the order of the keys, so that two of them on PostgreSQL cannot wait for each other.
    by_key = dict(sorted({job.key: job for job in jobs}.items()))
    with store.writing() as connection:
        _insert_or_ignore(connection, SweepRecord, [{"name": name, "space": space_text, "created_at": utc_now()}])
        connection.execute(update(SweepRecord).where(SweepRecord.name == name).values(space=space_text))
        _insert_or_ignore(connection, JobRecord, [job_row(job) for job in by_key.values()])
        _insert_or_ignore(connection, JobParentRecord, [row for job in by_key.values() for row in parent_rows(job)])
        _set_space(connection, sweep_id(connection, name), by_key)
        # Results from before there were verdicts, or before the rules changed.
        for model in unjudged_models(connection, by_key):
            refresh_verdict(connection, model)


def record_search(store: Store, *, name: str, space_text: str, keys: Iterable[str]) -> None:
    """Make the sweep of a search, or give it a new space: it then holds those jobs of `keys` that the store knows (others were pruned),
    and its other ones as out of the space. `add_jobs` brings those that come while it runs."""
    with store.writing() as connection:
        _insert_or_ignore(connection, SweepRecord, [{"name": name, "space": space_text, "created_at": utc_now()}])
        connection.execute(update(SweepRecord).where(SweepRecord.name == name).values(space=space_text))
        known = set(connection.execute(select(JobRecord.key)).scalars())
        _set_space(connection, sweep_id(connection, name), sorted(known & set(keys)))


def add_jobs(store: Store, sweep_name: str, jobs: Sequence[Job]) -> None:
    """The sweep holds these jobs too. Their parents must be among them or in the store.

    Raises:
        UserError: no such sweep.
    """
    by_key = dict(sorted({job.key: job for job in jobs}.items()))
    with store.writing() as connection:
        sweep = sweep_id(connection, sweep_name)
        _insert_or_ignore(connection, JobRecord, [job_row(job) for job in by_key.values()])
        _insert_or_ignore(connection, JobParentRecord, [row for job in by_key.values() for row in parent_rows(job)])
        _hold(connection, sweep, by_key)


def begin_driving(store: Store, sweep_name: str, host: str, pid: int) -> None:
    """A driver takes the sweep: attempts that an earlier one left running are interrupted, failed jobs of the space planned again.

    Raises:
        UserError: no such sweep.
    """
    now = utc_now()
    with store.writing() as connection:
        sweep = sweep_id(connection, sweep_name)
        _interrupt_attempts(connection, sweep)
        mine = select(SweepJobRecord.job_key).where(SweepJobRecord.sweep_id == sweep, SweepJobRecord.in_space)
        connection.execute(update(JobRecord).where(JobRecord.state == "failed", JobRecord.key.in_(mine)).values(state="planned"))
        driver = {"driver_host": host, "driver_pid": pid, "launched_at": now, "heartbeat_at": now}
        connection.execute(update(SweepRecord).where(SweepRecord.id == sweep).values(driver))


def heartbeat(store: Store, sweep_name: str) -> None:
    """The driver says it is alive; no effect on a sweep that no driver has (a late beat must not revive it)."""
    driven = update(SweepRecord).where(SweepRecord.name == sweep_name, SweepRecord.heartbeat_at.is_not(None))
    with store.writing() as connection:
        connection.execute(driven.values(heartbeat_at=utc_now()))


def end_driving(store: Store, sweep_name: str) -> None:
    """The driver leaves the sweep; what still runs is interrupted.

    Raises:
        UserError: no such sweep.
    """
    with store.writing() as connection:
        sweep = sweep_id(connection, sweep_name)
        _interrupt_attempts(connection, sweep)
        connection.execute(update(SweepRecord).where(SweepRecord.id == sweep).values(heartbeat_at=None))


def start_attempt(store: Store, sweep_name: str | None, job_key: str) -> int:
    """Record that a job is started (for no sweep in particular if None); the attempt's id. Attempts of a job are numbered from 1."""
    with store.writing() as connection:
        sweep = None if sweep_name is None else sweep_id(connection, sweep_name)
        # PostgreSQL: two sweeps that start the same job take their numbers one after the other.
        connection.execute(select(JobRecord.key).where(JobRecord.key == job_key).with_for_update())
        earlier = connection.execute(select(func.count()).where(AttemptRecord.job_key == job_key)).scalar_one()
        row = {"job_key": job_key, "number": earlier + 1, "sweep_id": sweep, "started_at": utc_now(), "outcome": "running"}
        attempt: int = connection.execute(insert(AttemptRecord).values(row).returning(AttemptRecord.id)).scalar_one()
    return attempt


def record_result(store: Store, job: Job, result: Result, *, attempt_id: int | None) -> None:
    """Record a finished job; `attempt_id` is None for a result found by its artifact. Doing it again changes nothing.

    Raises:
        ValueError: the result is not one of this job.
    """
    now = utc_now()
    environment = environment_row(result.environment)
    record, row = outcome_row(job, result, environment_id=environment["id"], finished_at=now)
    with store.writing() as connection:
        _lock(connection, job.parents.get("model", job.key))
        _insert_or_ignore(connection, EnvironmentRecord, [environment])
        _insert_or_ignore(connection, record, [row])
        connection.execute(update(JobRecord).where(JobRecord.key == job.key).values(state="done"))
        _derive(connection, record, row)
        if attempt_id is not None:
            _finish_attempt(connection, attempt_id, outcome="done", error=None, traceback=None)


def record_failure(
    store: Store,
    job_key: str,
    *,
    attempt_id: int | None,
    error: str,
    traceback: str,
    final: bool,
    outcome: Ending = "failed",
) -> None:
    """Record a failed (or interrupted) attempt; after the `final` one the job is failed, unless it has a result. `error` is kept as one
    line."""
    with store.writing() as connection:
        if attempt_id is not None:
            line = " ".join(_storable(error).split())
            _finish_attempt(connection, attempt_id, outcome=outcome, error=line, traceback=_storable(traceback))
        if final:
            connection.execute(update(JobRecord).where(JobRecord.key == job_key, JobRecord.state != "done").values(state="failed"))


def _lock(connection: Connection, model: str) -> None:
    """PostgreSQL: whoever else records a result of this model waits, so that what is derived is from all results there are."""
    connection.execute(select(JobRecord.key).where(JobRecord.key == model).with_for_update(key_share=True))


def _derive(connection: Connection, record: type[Base], row: Row) -> None:
    """Bring up to date what is derived from the results of the row's model."""
    if record is AttackResultRecord:
        refresh_worst_cases(connection, row["model_key"], ball=row)
    elif record is TrainedModelRecord:  # its attacks may have been recorded before it was
        refresh_worst_cases(connection, row["job_key"])
    if record in (AttackResultRecord, DiagnosisRecord):
        refresh_verdict(connection, row["model_key"])


def insert_or_ignore(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows that the table does not have."""
    if rows:
        connection.execute(insert_ignoring(connection, table).on_conflict_do_nothing(), rows)


def insert_ignoring(connection: Connection, table: Table) -> Any:
    """The database's own insert, which knows `on_conflict_do_...`."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _insert_or_ignore(connection: Connection, record: type[Base], rows: Sequence[Row]) -> None:
    insert_or_ignore(connection, table_of(record), rows)


def _set_space(connection: Connection, sweep: int, keys: Iterable[str]) -> None:
    connection.execute(update(SweepJobRecord).where(SweepJobRecord.sweep_id == sweep).values(in_space=False))
    _hold(connection, sweep, keys)


def _hold(connection: Connection, sweep: int, keys: Iterable[str]) -> None:
    """The jobs are in the sweep's space."""
    rows = [{"sweep_id": sweep, "job_key": key, "in_space": True} for key in keys]
    upsert = insert_ignoring(connection, table_of(SweepJobRecord)).on_conflict_do_update(
        index_elements=["sweep_id", "job_key"], set_={"in_space": True}
    )
    if rows:
        connection.execute(upsert, rows)


def _interrupt_attempts(connection: Connection, sweep: int) -> None:
    running = update(AttemptRecord).where(AttemptRecord.sweep_id == sweep, AttemptRecord.outcome == "running")
    connection.execute(running.values(outcome="interrupted", finished_at=utc_now()))


def _finish_attempt(connection: Connection, attempt_id: int, *, outcome: str, error: str | None, traceback: str | None) -> None:
    unfinished = update(AttemptRecord).where(AttemptRecord.id == attempt_id, AttemptRecord.outcome.in_(["running", "interrupted"]))
    connection.execute(unfinished.values(outcome=outcome, finished_at=utc_now(), error=error, traceback=traceback))


def _storable(text: str) -> str:
    """A text without what PostgreSQL refuses: zero characters and lone surrogates."""
    return text.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()
