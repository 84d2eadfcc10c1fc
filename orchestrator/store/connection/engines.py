"""Engines for SQLite and PostgreSQL that behave alike: real transactions, writers that wait for each other, readers that only read."""

import os
import sqlite3
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from orchestrator.paths import shown_url
from workers.errors import UserError

READ_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
"""Execution options under which all statements of a transaction see one moment of the database (SQLite's always do)."""

_BUSY_SECONDS = 30
_CONNECT_SECONDS = 10
_SILENT_MILLISECONDS = 30_000


def make_engine(address: URL, *, writable: bool) -> Engine:
    """Make the engine of a URL from `parse_url`, without connecting yet. Writing takes the execution option `writes=True`.

    Raises:
        UserError: the database's driver is not installed.
    """
    if address.get_backend_name() == "sqlite":
        return _sqlite_engine(address, writable=writable)
    # A server that stops answering is given up after a while: the kernel's own limit is a quarter of an hour.
    wanted = {"connect_timeout": _CONNECT_SECONDS, "tcp_user_timeout": _SILENT_MILLISECONDS}
    options = {name: value for name, value in wanted.items() if name not in address.query}
    if not address.password and "password" not in address.query:
        # Taken now: later connections of the pool are made while the variable is hidden from the processes that we start.
        address = address.set(password=os.environ.get("PGPASSWORD"))
    try:
        return create_engine(address, pool_pre_ping=True, connect_args=options)
    except ModuleNotFoundError as error:
        reason = f"needs the package {error.name}: pip install 'robustsweep[postgres]'"
        raise UserError(f"store '{shown_url(address)}': {reason}") from None


def _sqlite_engine(address: URL, *, writable: bool) -> Engine:
    path = Path(address.database or "").absolute()
    mode = {"mode": "rwc"} if writable else _reading_mode(path)
    address = address.set(database=path.as_uri()).update_query_dict({"uri": "true", **mode})
    # The driver would start transactions late and only for some statements: `_begin` starts them all.
    engine = create_engine(address, connect_args={"isolation_level": None, "timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _set_up_writable if writable else _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _reading_mode(path: Path) -> dict[str, str]:
    """Return a reader's options: it makes the log's files next to the database, except where it may not and there are none: the file is
    then declared immutable."""
    log = path.with_name(path.name + "-wal")
    still = not os.access(path.parent, os.W_OK) and not log.exists()
    return {"mode": "ro", "immutable": "1"} if still else {"mode": "ro"}


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON").close()


def _set_up_writable(connection: sqlite3.Connection, record: object) -> None:
    _set_up(connection, record)
    connection.execute("PRAGMA synchronous=NORMAL").close()
    deadline = monotonic() + _BUSY_SECONDS
    while not _has_wal(connection):
        if monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")
        sleep(0.01)


def _has_wal(connection: sqlite3.Connection) -> bool:
    """Switch to a write-ahead log; False if others are using the file (SQLite waits for them by itself everywhere except here)."""
    try:
        connection.execute("PRAGMA journal_mode=WAL").close()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # the low byte: extended codes say more
            raise
        return False
    return True


def _begin(connection: Connection) -> None:
    # A transaction that reads before it writes could not wait for another writer, so writers lock at once.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
