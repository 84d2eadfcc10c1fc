"""Queries in SQL: one statement that reads, and nothing else."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from orchestrator.store.connection.session import Store
from orchestrator.store.connection.urls import scrubbed
from workers.errors import UserError

_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})


@dataclass(frozen=True)
class Answer:
    """Result of a statement: the columns' names, and rows of values as the database has them (SQLite's timestamps are texts and its
    booleans 0 or 1)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def ask(store: Store, statement: str) -> Answer:
    """Run one statement that only reads; see `orchestrator.store.schema.views` for what to ask.

    Raises:
        UserError: the statement is wrong, is more than one, or does more than read; the message is the database's own.
    """
    with store.reading() as connection:
        driver: Any = connection.connection.driver_connection
        try:
            cursor = _on_sqlite(driver, statement) if isinstance(driver, sqlite3.Connection) else _on_postgresql(driver, statement)
            if cursor.description is None:
                raise UserError("query: the statement returns nothing; SELECT something")
            return Answer(tuple(column[0] for column in cursor.description), tuple(map(tuple, cursor.fetchall())))
        except store.engine.dialect.loaded_dbapi.Error as error:
            raise UserError(f"query: {scrubbed(str(error), store.engine.url)}") from None


def _on_sqlite(driver: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
    """Allow only reads: a read-only file is not enough, since other files could be attached, or written by VACUUM INTO."""
    driver.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY)
    try:
        return driver.execute(statement)
    finally:
        driver.set_authorizer(None)


def _on_postgresql(driver: Any, statement: str) -> Any:
    """Prepare the statement: a prepared text cannot hold a second statement that ends the read-only transaction."""
    return driver.execute(statement, prepare=True)
