"""Queries in SQL: one statement that reads, and nothing else, within its time."""

import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count, islice
from threading import TIMEOUT_MAX, Event
from typing import Any

from sqlalchemy import Connection

from orchestrator.store.connection.admitted_sql import admit, authorizer
from orchestrator.store.connection.bounded_answers import bounded, too_long
from orchestrator.store.connection.session import Store
from orchestrator.store.connection.setting_names import with_columns
from orchestrator.store.connection.urls import scrubbed
from workers.errors import UserError

TIMEOUT = 60.0
_MOST_ROWS = 1_000_000
_AT_ONCE = 100
_LONGEST_VALUE = 100_000_000  # bytes, in SQLite: `zeroblob` and `printf` would make what memory does not hold
_LONGEST_ROW = 20_000_000  # bytes, in PostgreSQL: a row is taken whole, and a list takes 20 times the memory of its text
_LONG_ROW = "row of more than {:g} MB"
_SHORT_ROWS = """SELECT answer.* FROM (SELECT * FROM (
{query}
) AS query OFFSET 0) AS answer WHERE CASE
WHEN pg_column_size(answer.*) > {most} OR octet_length((answer.*)::text) > {most} THEN '{refusal}' ELSE 'true' END::boolean"""
_TIMED_OUT = "57014"
_WATCHES_CLIENTS = 140_000
_READER = "pg_read_all_data"
_MIGHTY = "pg_execute_server_program pg_write_server_files pg_read_server_files pg_signal_backend pg_checkpoint pg_maintain"


@dataclass(frozen=True)
class NamedRows:
    """Result of a statement: the columns' names, of which no two are equal, and rows of values as the database has them (SQLite's
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
        UserError: the statement is wrong, is more than one, does more than read, takes longer, or has more rows or takes more
            memory than it may.
    """
    if not 0 < timeout < TIMEOUT_MAX / 1000:
        raise UserError(f"query: timeout {timeout:g}: must be more than 0, in seconds")
    text = _plain(statement)
    with store.reading() as connection:
        driver = connection.connection.driver_connection
        text = with_columns(text, connection)
        try:
            if isinstance(driver, sqlite3.Connection):
                return _ask_sqlite(driver, text, timeout)
            return _ask_postgresql(connection, text, timeout, force=force)
        except store.engine.dialect.loaded_dbapi.Error as error:
            raise UserError(f"query: {scrubbed(str(error), store.engine.url)}") from None


def _plain(statement: str) -> str:
    """Return the statement with one kind of line ends, so that everybody agrees on where a comment ends."""
    if "\0" in statement or statement != statement.encode(errors="replace").decode():
        raise UserError("query: the statement must be UTF-8 without NULs")
    return statement.replace("\r\n", "\n").replace("\r", "\n")


def _ask_sqlite(driver: sqlite3.Connection, statement: str, timeout: float) -> NamedRows:
    refused: list[str] = []
    longest = driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    driver.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").close()  # their first use looks like a change of the schema
    driver.set_authorizer(authorizer(refused.append))
    try:
        return bounded(lambda: _selected(driver, statement), driver.interrupt, timeout=timeout)
    except sqlite3.DatabaseError:
        if refused:
            raise UserError(f"query: {refused[0]}") from None
        raise
    finally:
        driver.set_authorizer(None)
        driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)


def _selected(driver: sqlite3.Connection, statement: str) -> NamedRows:
    cursor = driver.execute(statement)
    return _answer(cursor, _collected(cursor))


def _ask_postgresql(connection: Connection, statement: str, timeout: float, *, force: bool) -> NamedRows:
    """Ask for what PostgreSQL takes for a single statement alone; the transaction is a reading one already.

    The server stops the statement in time, or the connection is cut: it may hear late, and what it sent may take us long to read.
    """
    driver: Any = connection.connection.driver_connection
    query, is_explain = admit(statement)
    _take_reading_role(driver, force=force)
    driver.execute(f"SET LOCAL statement_timeout = {max(1, round(1000 * timeout))}")
    if driver.info.server_version >= _WATCHES_CLIENTS:
        driver.execute("SET LOCAL client_connection_check_interval = 1000")  # a client that was killed takes its statement along
    asked = _explained if is_explain else _streamed
    is_cut = Event()
    try:
        return bounded(lambda: asked(driver, query), lambda: _cut(driver, is_cut), timeout=timeout)
    except driver.Error as error:
        if getattr(error, "sqlstate", None) == _TIMED_OUT:
            raise too_long(timeout) from None
        if (refusal := _LONG_ROW.format(_LONGEST_ROW / 1e6)) in str(error):
            raise UserError(f"query: a {refusal}; ask for less of it") from None
        raise
    finally:
        if is_cut.is_set():
            connection.invalidate()


def _explained(driver: Any, statement: str) -> NamedRows:
    cursor = driver.execute(statement, prepare=True)  # prepared: the text can hold no second statement
    return _answer(cursor, _collected(cursor))


def _streamed(driver: Any, query: str) -> NamedRows:
    """Return the rows as they are computed: those of a cursor the server would first put on its disk."""
    from psycopg import capabilities

    refusal = _LONG_ROW.format(_LONGEST_ROW / 1e6)
    asked = _SHORT_ROWS.format(query=query, most=_LONGEST_ROW, refusal=refusal)
    with driver.cursor() as cursor:
        with closing(cursor.stream(asked, size=_AT_ONCE if capabilities.has_stream_chunked() else 1)) as rows:
            found = _collected(rows)
        if not found:  # then the columns are not known either
            cursor.execute(f"{asked} LIMIT 0")
        return _answer(cursor, found)


def _cut(driver: Any, is_cut: Event) -> None:
    is_cut.set()
    with suppress(OSError, driver.Error), socket.socket(fileno=os.dup(driver.fileno())) as ours:
        ours.shutdown(socket.SHUT_RDWR)


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


def _collected(rows: Iterable[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    """Return all rows.

    Raises:
        UserError: there are too many.
    """
    found = tuple(map(tuple, islice(rows, _MOST_ROWS + 1)))
    if len(found) > _MOST_ROWS:
        raise UserError(f"query: more than {_MOST_ROWS:,} rows; add a LIMIT, or aggregate")
    return found


def _answer(cursor: Any, rows: tuple[tuple[Any, ...], ...]) -> NamedRows:
    if not cursor.description:
        raise UserError("query: the statement returns nothing; SELECT something")
    return NamedRows(tuple(_told_apart([column[0] for column in cursor.description])), rows)


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
