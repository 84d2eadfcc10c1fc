"""Writes about a sweep's driver: taking the sweep, heartbeats, leaving it. Each function is one transaction."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, case, exists, or_, select, update

from orchestrator.store.connection.session import Store, sweep_id
from orchestrator.store.leases.leases import (
    NO_HOLDER,
    Driver,
    Lease,
    LeaseHolder,
    LeaseLost,
    LeaseTaken,
    database_clock,
    fence,
    find_holder,
    lost_because,
)
from orchestrator.store.schema.result_tables import result_tables
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord, SweepJobRecord, SweepRecord
from orchestrator.store.writing.record import make_sweep, set_sweep
from workers.spec.job import Job


def launch_sweep(store: Store, *, name: str, space_text: str, jobs: Sequence[Job], driver: Driver, seen: LeaseHolder | None) -> Lease:
    """Take the sweep, made if necessary, if no driver has had it since it was `seen`, and give it its space: all of it or nothing.

    Raises:
        LeaseTaken: a driver has.
    """
    with store.writing() as connection:
        lease = _take_if_as_seen(connection, name, space_text, driver, seen)
        set_sweep(connection, name=name, space_text=space_text, jobs=jobs)
        _plan_again(connection, sweep_id(connection, name))
    return lease


def take_sweep(store: Store, *, name: str, space_text: str, driver: Driver, seen: LeaseHolder | None) -> Lease:
    """Take the sweep, made if necessary, if no driver has had it since it was `seen`; its space and jobs stay as they are.

    Raises:
        LeaseTaken: a driver has.
    """
    with store.writing() as connection:
        return _take_if_as_seen(connection, name, space_text, driver, seen)


def _take_if_as_seen(connection: Connection, name: str, space_text: str, driver: Driver, seen: LeaseHolder | None) -> Lease:
    make_sweep(connection, name, space_text)
    if find_holder(connection, name, lock=True) != (seen or NO_HOLDER):
        raise LeaseTaken(name)
    return _take(connection, name, driver)


def plan_again(store: Store, lease: Lease) -> None:
    """Plan the failed jobs in the sweep's space again.

    Raises:
        LeaseLost: the sweep is not the driver's any more.
    """
    with store.writing() as connection:
        fence(connection, lease)
        _plan_again(connection, sweep_id(connection, lease.sweep))


def _take(connection: Connection, name: str, driver: Driver) -> Lease:
    find_holder(connection, name, lock=True)
    token, now = secrets.token_hex(16), database_clock(connection)
    taken = {"driver_token": token, "driver_host": driver.host, "driver_pid": driver.pid, "driver_process": driver.process}
    statement = update(SweepRecord).where(SweepRecord.name == name).values(taken | {"launched_at": now, "heartbeat_at": now})
    row = connection.execute(statement.returning(SweepRecord.id, SweepRecord.launched_at)).one()
    _interrupt_attempts(connection, row.id)
    return Lease(sweep=name, token=token, taken_at=row.launched_at)


def _plan_again(connection: Connection, sweep: int) -> None:
    """Plan the failed jobs in the sweep's space again, and those that are done without a result; one that has a result is done."""
    mine = select(SweepJobRecord.job_key).where(SweepJobRecord.sweep_id == sweep, SweepJobRecord.in_space)
    has_result = or_(*(exists().where(table.c.job_key == JobRecord.key) for table in result_tables()))
    of_mine = update(JobRecord).where(JobRecord.key.in_(mine))
    connection.execute(of_mine.where(JobRecord.state != "done", has_result).values(state="done"))
    to_run = or_(JobRecord.state == "failed", and_(JobRecord.state == "done", ~has_result))
    connection.execute(of_mine.where(to_run).values(state="planned"))


def record_command(store: Store, lease: Lease, command: str) -> None:
    """Record the command that launched the sweep.

    Raises:
        LeaseLost: the sweep is not the driver's any more.
    """
    with store.writing() as connection:
        fence(connection, lease)
        connection.execute(update(SweepRecord).where(SweepRecord.name == lease.sweep).values(command=command))


def heartbeat(store: Store, lease: Lease) -> datetime:
    """Record that the driver is alive, and return the database's time.

    Raises:
        LeaseLost: the sweep is not its own any more.
    """
    mine = update(SweepRecord).where(SweepRecord.name == lease.sweep, SweepRecord.driver_token == lease.token)
    with store.writing() as connection:
        beat = mine.values(heartbeat_at=database_clock(connection)).returning(SweepRecord.heartbeat_at)
        found: datetime | None = connection.execute(beat).scalar_one_or_none()
        if found is None:
            raise LeaseLost(lost_because(connection, lease))
    return found


def end_driving(store: Store, lease: Lease) -> None:
    """Leave the sweep; attempts that still run are interrupted.

    Raises:
        LeaseLost: the sweep is not its own any more.
    """
    with store.writing() as connection:
        fence(connection, lease)
        sweep = sweep_id(connection, lease.sweep)
        _interrupt_attempts(connection, sweep)
        connection.execute(update(SweepRecord).where(SweepRecord.id == sweep).values(heartbeat_at=None, driver_token=None))


def _interrupt_attempts(connection: Connection, sweep: int) -> None:
    running = update(AttemptRecord).where(AttemptRecord.sweep_id == sweep, AttemptRecord.outcome == "running")
    now = database_clock(connection)
    ended = case((AttemptRecord.started_at > now, AttemptRecord.started_at), else_=now)  # a clock may have been set back
    connection.execute(running.values(outcome="interrupted", finished_at=ended))
