"""Queries in SQL: one statement that reads, and nothing else, within its time."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from threading import TIMEOUT_MAX, Thread
from time import monotonic
from typing import Any

from orchestrator.store.connection.admitted_sql import admit, authorizer
from orchestrator.store.connection.session import Store
from orchestrator.store.connection.setting_names import with_columns
from orchestrator.store.connection.urls import scrubbed
from workers.errors import UserError

TIMEOUT = 60.0
_MOST_ROWS = 1_000_000
_MOST_CHARACTERS = 200_000_000  # or bytes; a table of them takes several times as many bytes
_AT_ONCE = 1000
_LONG = 10_000  # characters of a row, on average: then they are fetched one by one
_LONGEST_VALUE = 100_000_000  # bytes, in SQLite: `zeroblob` and `printf` would make what memory does not hold
_PAUSE = 0.05
_TIMED_OUT = "57014"
_WATCHES_CLIENTS = 140_000
_READER = "pg_read_all_data"
_MIGHTY = "pg_execute_server_program pg_write_server_files pg_read_server_files pg_signal_backend pg_checkpoint pg_maintain"


@dataclass(frozen=True)
class NamedRows:
    """Result of a query: the columns' names, of which no two are equal, and rows of values as the database has them (SQLite's
    timestamps are texts and its booleans 0 or 1)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def ask(store: Store, statement: str, *, timeout: float = TIMEOUT, force: bool = False) -> NamedRows:
    """Run one statement that only reads; see `orchestrator.store.schema.views` for what to ask.

    Args:
        store: where.
        statement: a SELECT, WITH, VALUES or EXPLAIN of one, of our views, tables and functions that compute. Settings may have their
            names in a space (`training.learning_rate`, or `learning_rate` where that is only one).
        timeout: seconds after which it is stopped.
        force: ask PostgreSQL even with a role that may run programs or read and write files, and is no superuser. (A superuser asks
            as `pg_read_all_data`.)

    Raises:
        UserError: the statement is wrong, is more than one, does more than read, takes longer, or has more than a million rows, or 200
            million characters.
    """
    if not 0 < timeout < TIMEOUT_MAX / 1000:
        raise UserError(f"query: timeout {timeout:g}: must be more than 0, in seconds")
    text = _plain(statement)
    with store.reading() as connection:
        driver: Any = connection.connection.driver_connection
        text = with_columns(text, connection)
        try:
            if isinstance(driver, sqlite3.Connection):
                return _ask_sqlite(driver, text, timeout)
            return _ask_postgresql(driver, text, timeout, force=force)
        except store.engine.dialect.loaded_dbapi.Error as error:
            raise UserError(f"query: {scrubbed(str(error), store.engine.url)}") from None


def _plain(statement: str) -> str:
    """Return the statement with one kind of line ends, so that everybody agrees on where a comment ends."""
    if "\0" in statement or statement != statement.encode(errors="replace").decode():
        raise UserError("query: the statement must be UTF-8 without NULs")
    return statement.replace("\r\n", "\n").replace("\r", "\n")


def _ask_sqlite(driver: sqlite3.Connection, statement: str, timeout: float) -> NamedRows:
    """Ask in a thread: what stops this one, such as Ctrl-C or the timeout, interrupts the statement, whenever it comes."""
    refused: list[str] = []
    longest = driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    driver.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").close()  # their first use looks like a change of the schema
    driver.set_authorizer(authorizer(refused.append))
    asked: Future[NamedRows] = Future()
    thread = Thread(target=_settle, args=(asked, lambda: _fetched(driver.execute(statement))), daemon=True)
    try:
        thread.start()
        return asked.result(timeout)
    except TimeoutError:
        raise _too_long(timeout) from None
    except sqlite3.DatabaseError:
        if refused:
            raise UserError(f"query: {refused[0]}") from None
        raise
    finally:
        while thread.is_alive():  # one interruption may come before the statement has begun
            driver.interrupt()
            thread.join(_PAUSE)
        driver.set_authorizer(None)
        driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)


def _settle(asked: "Future[NamedRows]", answer: Callable[[], NamedRows]) -> None:
    try:
        asked.set_result(answer())
    except BaseException as error:
        asked.set_exception(error)


def _ask_postgresql(driver: Any, statement: str, timeout: float, *, force: bool) -> NamedRows:
    """Declare a cursor, which PostgreSQL makes for a single query alone; the transaction is a reading one already."""
    is_explain = admit(statement)
    _take_reading_role(driver, force=force)
    driver.execute(f"SET LOCAL statement_timeout = {max(1, round(1000 * timeout))}")
    driver.execute("SET LOCAL cursor_tuple_fraction = 1")  # all rows are wanted, not the first ones soon
    if driver.info.server_version >= _WATCHES_CLIENTS:
        driver.execute("SET LOCAL client_connection_check_interval = 1000")  # a client that was killed takes its statement along
    try:
        if is_explain:  # prepared: the text can hold no second statement
            return _fetched(driver.execute(statement, prepare=True))
        with driver.cursor("query") as cursor:
            return _fetched(cursor.execute(statement), until=monotonic() + timeout)
    except TimeoutError:
        raise _too_long(timeout) from None
    except Exception as error:
        if getattr(error, "sqlstate", None) == _TIMED_OUT:
            raise _too_long(timeout) from None
        raise


def _take_reading_role(driver: Any, *, force: bool) -> None:
    """Let a superuser ask as a role that only reads; refuse others who may do to the server what no owner of a database needs."""
    (superuser,) = driver.execute("SELECT rolsuper FROM pg_roles WHERE rolname = session_user").fetchone()
    if superuser:
        driver.execute(f"SET LOCAL ROLE {_READER}")
        return
    member = "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND pg_has_role(session_user, oid, 'MEMBER') ORDER BY rolname"
    mighty = [name for (name,) in driver.execute(member, [_MIGHTY.split()])]
    if mighty and not force:
        advice = f"`CREATE ROLE reader LOGIN IN ROLE {_READER}` makes one that only reads, --force asks all the same"
        raise UserError(f"query: this role may do more than read ({', '.join(mighty)}); {advice}")


def _fetched(cursor: Any, *, until: float | None = None) -> NamedRows:
    """Return all rows.

    Raises:
        TimeoutError: that takes longer than `until`.
        UserError: there are none of any kind, or too many.
    """
    if cursor.description is None:
        raise UserError("query: the statement returns nothing; SELECT something")
    rows: list[tuple[Any, ...]] = []
    length = 0
    while found := cursor.fetchmany(_AT_ONCE if length < len(rows) * _LONG else 1):
        rows += map(tuple, found)
        length += sum(len(value) for row in found for value in row if isinstance(value, str | bytes))
        if len(rows) > _MOST_ROWS:
            raise UserError(f"query: more than {_MOST_ROWS:,} rows; add a LIMIT, or aggregate")
        if length > _MOST_CHARACTERS:
            raise UserError(f"query: more than {_MOST_CHARACTERS:,} characters; add a LIMIT, or aggregate")
        if until is not None and monotonic() > until:
            raise TimeoutError
    return NamedRows(tuple(_told_apart([column[0] for column in cursor.description])), tuple(rows))


def _told_apart(names: Sequence[str]) -> Iterator[str]:
    """Yield the names, numbered from the second of each: `n`, `n_2`."""
    taken = set(names)
    seen: set[str] = set()
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        found = name if name not in seen else next(other for other in numbered if other not in taken)
        seen.add(found)
        taken.add(found)
        yield found


def _too_long(timeout: float) -> UserError:
    return UserError(f"query: stopped after {timeout:g} s (--timeout)")
