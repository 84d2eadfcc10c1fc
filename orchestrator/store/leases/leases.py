"""Lease of a sweep, in its row: its holder, and whether that is alive. Ages are by the database's clock, never by a driver's."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, literal, select

from orchestrator.store.connection.session import Store
from orchestrator.store.leases.processes import is_gone
from orchestrator.store.schema.base import UtcDateTime, utc_now
from orchestrator.store.schema.sweep_tables import SweepRecord
from workers.errors import UserError

HEARTBEAT = timedelta(seconds=5)
"""Interval between a driver's heartbeats."""

ALIVE = timedelta(seconds=30)
"""Longest silence of a driver that is considered alive."""

_COLUMNS = SweepRecord.driver_token, SweepRecord.driver_host, SweepRecord.driver_pid, SweepRecord.driver_process
_TIMES = SweepRecord.launched_at, SweepRecord.heartbeat_at


class LeaseLost(Exception):  # noqa: N818 (it reads as what it says)
    """Error: the sweep is not, or no longer, this driver's, which may write nothing."""


class LeaseTaken(Exception):  # noqa: N818
    """Error: the sweep has been driven since it was read."""


@dataclass(frozen=True, kw_only=True)
class Driver:
    """Process that drives sweeps; `process` is its name from `processes.this_process`."""

    host: str
    pid: int
    process: str | None = None


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Right to drive a sweep, and to write its results. `taken_at` is by the database's clock."""

    sweep: str
    token: str
    taken_at: datetime


@dataclass(frozen=True, kw_only=True)
class LeaseHolder:
    """Driver of a sweep, or the last one that it had; `token` and `heartbeat_at` are None once it has left."""

    token: str | None
    host: str | None
    pid: int | None
    process: str | None
    launched_at: datetime | None
    heartbeat_at: datetime | None

    @property
    def who(self) -> str:
        return f"process {self.pid} on {self.host}"


NO_HOLDER = LeaseHolder(token=None, host=None, pid=None, process=None, launched_at=None, heartbeat_at=None)
"""Holder of a sweep that was never launched."""


def holder_of(store: Store, sweep: str) -> tuple[LeaseHolder | None, datetime]:
    """Return the holder of the sweep (None: there is no such sweep yet), and the database's time."""
    with store.reading() as connection:
        return find_holder(connection, sweep), database_now(connection)


def find_holder(connection: Connection, sweep: str, *, lock: bool = False) -> LeaseHolder | None:
    """Return the holder of the sweep (None: there is no such sweep); with `lock` no other takes it before the transaction's end."""
    statement = select(*_COLUMNS, *_TIMES).where(SweepRecord.name == sweep)
    row = connection.execute(statement.with_for_update(key_share=True) if lock else statement).one_or_none()
    return None if row is None else LeaseHolder(**{name.removeprefix("driver_"): value for name, value in row._mapping.items()})


def fence(connection: Connection, lease: Lease | None) -> None:
    """Require the lease until the end of this transaction, before its writes (None: they are for no sweep in particular).

    Raises:
        LeaseLost: it is lost; the message names the driver that has taken the sweep.
    """
    _require(connection, lease, lock=True)


def confirm(connection: Connection, lease: Lease | None) -> None:
    """Require the lease now, before something that is written otherwise than in this transaction; see `fence`.

    Raises:
        LeaseLost: it is lost.
    """
    _require(connection, lease, lock=False)


def _require(connection: Connection, lease: Lease | None, *, lock: bool) -> None:
    if lease is None:
        return
    held = select(SweepRecord.id).where(SweepRecord.name == lease.sweep, SweepRecord.driver_token == lease.token)
    if connection.execute(held.with_for_update(read=True) if lock else held).one_or_none() is None:
        raise LeaseLost(lost_because(connection, lease))


def lost_because(connection: Connection, lease: Lease) -> str:
    """Describe in one line why a lease is lost."""
    holder = find_holder(connection, lease.sweep)
    if holder is None:
        return f"sweep {lease.sweep}: it is no longer in the database"
    if holder.launched_at is None or holder.launched_at <= lease.taken_at:
        return f"sweep {lease.sweep}: it was taken over while this driver was silent"
    return f"sweep {lease.sweep}: {holder.who} took it over at {moment(holder.launched_at)}, while this driver was silent"


def refusal(sweep: str, holder: LeaseHolder, *, now: datetime) -> str:
    """Describe in one line the driver because of which the sweep is refused."""
    beat = "" if holder.heartbeat_at is None else f" (last heartbeat {age(now - holder.heartbeat_at)} ago)"
    return f"sweep {sweep}: {holder.who} has been running it since {moment(holder.launched_at)}{beat}; wait for it, or stop it"


def refuse_driven(connection: Connection, sweep: str) -> None:
    """Refuse to touch a sweep that a living driver runs.

    Raises:
        UserError: a driver does.
    """
    holder, now = find_holder(connection, sweep), database_now(connection)
    if holder is not None and is_alive(holder.heartbeat_at, holder.process, now=now):
        raise UserError(refusal(sweep, holder, now=now))


def is_alive(heartbeat_at: datetime | None, process: str | None, *, now: datetime) -> bool:
    """True for a driver that is alive: its last heartbeat is fresh, and its process is not known to have ended.

    A heartbeat from the future says that the clock was set back: it would otherwise keep a dead driver alive until then.
    """
    return heartbeat_at is not None and abs(now - heartbeat_at) <= ALIVE and not is_gone(process)


def living_sweeps(connection: Connection) -> frozenset[int]:
    """Return the ids of all sweeps that living drivers run."""
    columns = SweepRecord.id, SweepRecord.heartbeat_at, SweepRecord.driver_process
    rows = connection.execute(select(*columns).where(SweepRecord.heartbeat_at.is_not(None))).all()
    now = database_now(connection)
    return frozenset(row.id for row in rows if is_alive(row.heartbeat_at, row.driver_process, now=now))


def database_now(connection: Connection) -> datetime:
    """Return the time by the database's clock (SQLite has none but that of its machine)."""
    return connection.execute(select(database_clock(connection))).scalar_one()


def database_clock(connection: Connection) -> ColumnElement[datetime]:
    """Return the database's time as an expression, to be written into a row."""
    return func.clock_timestamp(type_=UtcDateTime()) if connection.dialect.name == "postgresql" else literal(utc_now(), UtcDateTime())


def moment(when: datetime | None) -> str:
    """Format a time for people, in UTC, to the second."""
    return "?" if when is None else f"{when:%Y-%m-%d %H:%M:%S} UTC"


def age(silence: timedelta) -> str:
    """Format an age in the largest unit of which there are two or more."""
    seconds = max(0.0, silence.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
