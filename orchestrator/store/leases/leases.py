"""Who drives a sweep: the lease in its row, and whether who holds it lives. Ages are by the database's clock, never by a driver's."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, literal, select

from orchestrator.store.connection.session import Store
from orchestrator.store.leases.processes import is_gone
from orchestrator.store.schema.base import UtcDateTime, utc_now
from orchestrator.store.schema.sweep_tables import SweepRecord
from workers.errors import UserError

HEARTBEAT = timedelta(seconds=5)
"""How often a driver says that it lives."""

ALIVE = timedelta(seconds=30)
"""Who has been silent for longer is taken for dead."""

_COLUMNS = SweepRecord.driver_token, SweepRecord.driver_host, SweepRecord.driver_pid, SweepRecord.driver_process
_TIMES = SweepRecord.launched_at, SweepRecord.heartbeat_at


class LeaseLost(Exception):  # noqa: N818 (it reads as what it says)
    """The sweep is not, or no longer, this driver's: it may write nothing."""


class LeaseTaken(Exception):  # noqa: N818
    """Somebody has driven the sweep since it was looked at."""


@dataclass(frozen=True, kw_only=True)
class Driver:
    """A process that drives sweeps; `process` is its name from `processes.this_process`."""

    host: str
    pid: int
    process: str | None = None


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to drive a sweep, and to write what becomes of it. `taken_at` is by the database's clock."""

    sweep: str
    token: str
    taken_at: datetime


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who drives a sweep, or drove it last; `token` and `heartbeat_at` are None once it has left."""

    token: str | None
    host: str | None
    pid: int | None
    process: str | None
    launched_at: datetime | None
    heartbeat_at: datetime | None

    @property
    def who(self) -> str:
        return f"process {self.pid} on {self.host}"


NOBODY = Holder(token=None, host=None, pid=None, process=None, launched_at=None, heartbeat_at=None)
"""Of a sweep that was never launched."""


def holder_of(store: Store, sweep: str) -> tuple[Holder | None, datetime]:
    """Who holds the sweep (None: there is no such sweep yet), and the database's time."""
    with store.reading() as connection:
        return find_holder(connection, sweep), database_now(connection)


def find_holder(connection: Connection, sweep: str, *, lock: bool = False) -> Holder | None:
    """Who holds the sweep; with `lock` nobody else takes it before the transaction's end."""
    statement = select(*_COLUMNS, *_TIMES).where(SweepRecord.name == sweep)
    row = connection.execute(statement.with_for_update(key_share=True) if lock else statement).one_or_none()
    return None if row is None else Holder(**{name.removeprefix("driver_"): value for name, value in row._mapping.items()})


def fence(connection: Connection, lease: Lease | None) -> None:
    """Nothing that follows in this transaction is written unless the lease still holds (None: written for no sweep in particular).

    Raises:
        LeaseLost: it does not; the message says who has taken the sweep.
    """
    _require(connection, lease, lock=True)


def confirm(connection: Connection, lease: Lease | None) -> None:
    """As `fence`, before something that is written otherwise than in this transaction: the lease holds now.

    Raises:
        LeaseLost: it does not.
    """
    _require(connection, lease, lock=False)


def _require(connection: Connection, lease: Lease | None, *, lock: bool) -> None:
    if lease is None:
        return
    held = select(SweepRecord.id).where(SweepRecord.name == lease.sweep, SweepRecord.driver_token == lease.token)
    if connection.execute(held.with_for_update(read=True) if lock else held).one_or_none() is None:
        raise LeaseLost(told(connection, lease))


def told(connection: Connection, lease: Lease) -> str:
    """Why a lease is lost, in one line."""
    holder = find_holder(connection, lease.sweep)
    if holder is None:
        return f"sweep {lease.sweep}: it is no longer in the database"
    if holder.launched_at is None or holder.launched_at <= lease.taken_at:
        return f"sweep {lease.sweep}: it was taken from this driver while that was silent"
    return f"sweep {lease.sweep}: {holder.who} has taken it over at {moment(holder.launched_at)}, while this driver was silent"


def refusal(sweep: str, holder: Holder, *, now: datetime) -> str:
    """That somebody drives the sweep, in one line."""
    beat = "" if holder.heartbeat_at is None else f" (last heartbeat {age(now - holder.heartbeat_at)} ago)"
    return f"sweep {sweep}: {holder.who} is running it since {moment(holder.launched_at)}{beat}; wait for it, or stop it"


def refuse_driven(connection: Connection, sweep: str) -> None:
    """Refuse to touch a sweep that somebody drives.

    Raises:
        UserError: somebody does.
    """
    holder, now = find_holder(connection, sweep), database_now(connection)
    if holder is not None and is_alive(holder.heartbeat_at, holder.process, now=now):
        raise UserError(refusal(sweep, holder, now=now))


def is_alive(heartbeat_at: datetime | None, process: str | None, *, now: datetime) -> bool:
    """Whether a driver lives: its last heartbeat is fresh, and its process is not known to have ended.

    A heartbeat from the future says that the clock was set back: it would otherwise keep a dead driver alive until then.
    """
    return heartbeat_at is not None and abs(now - heartbeat_at) <= ALIVE and not is_gone(process)


def living_sweeps(connection: Connection) -> frozenset[int]:
    """The ids of all sweeps that somebody drives."""
    columns = SweepRecord.id, SweepRecord.heartbeat_at, SweepRecord.driver_process
    rows = connection.execute(select(*columns).where(SweepRecord.heartbeat_at.is_not(None))).all()
    now = database_now(connection)
    return frozenset(row.id for row in rows if is_alive(row.heartbeat_at, row.driver_process, now=now))


def database_now(connection: Connection) -> datetime:
    """The time by the database's clock (SQLite has none but that of its machine)."""
    return connection.execute(select(database_clock(connection))).scalar_one()


def database_clock(connection: Connection) -> ColumnElement[datetime]:
    """The database's time, to be written into a row."""
    return func.clock_timestamp(type_=UtcDateTime()) if connection.dialect.name == "postgresql" else literal(utc_now(), UtcDateTime())


def moment(when: datetime | None) -> str:
    """A time for people, in UTC, to the second."""
    return "?" if when is None else f"{when:%Y-%m-%d %H:%M:%S} UTC"


def age(silence: timedelta) -> str:
    """How long ago something was, in the unit that says enough."""
    seconds = max(0.0, silence.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
