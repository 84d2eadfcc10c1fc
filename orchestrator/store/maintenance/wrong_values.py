"""Values in a database that none of this program's could have written there: where they are, in a line each.

Readers take what the columns promise. Where one meets another value it fails, and the line is looked for then; `db check` looks for all.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy import JSON, Column, Connection, Table, select, type_coerce
from sqlalchemy.exc import InvalidRequestError, SQLAlchemyError
from sqlalchemy.types import NullType

from orchestrator.paths import shown_url
from orchestrator.store.connection.session import StoreFailed, open_store, opened_stores
from orchestrator.store.maintenance.row_checks import contradiction, value_problem
from orchestrator.store.schema.base import Base
from orchestrator.terminal import hints
from workers.errors import UserError

_SHOWN = 60
_CHUNK = 5000
_PLAIN = (str, int, float, type(None))


def wrong_value_behind(error: Exception) -> StoreFailed | None:
    """Return the error that names the first wrong value in the stores which this process has opened; None where all values are right, and
    for an error that says what is wrong itself."""
    if isinstance(error, UserError) and not isinstance(error.__cause__, ValueError | InvalidRequestError):
        return None
    for address in dict.fromkeys(opened_stores):
        with suppress(UserError, SQLAlchemyError), open_store(address.render_as_string(hide_password=False), upgrade=False) as store:
            with store.reading() as connection:
                first = next(wrong_values(connection), None) or next(wrong_rows(connection), None)
            if first is not None:
                check = hints.command("db", "check", at=address)
                return StoreFailed(f"store '{shown_url(address)}': {first[0]}; `{check}` says what is damaged")
    return None


def wrong_values(connection: Connection) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield a line for each value that its column's readers do not take, naming table, row, column and value, and the key of its job."""
    for table in Base.metadata.sorted_tables:
        columns = [(column, column.name, set[Any]()) for column in table.columns]
        for row in _raw_rows(connection, table):
            for column, name, right in columns:  # the values found right: few, of many rows
                value = row[name]
                is_plain = type(value) in _PLAIN
                if is_plain and (type(value), value) in right:
                    continue
                if problem := _problem(column, value):
                    yield f"{_place(table, row)}: {name} {_short(value)}: {problem}", _keys(table, row)
                elif is_plain:
                    right.add((type(value), value))


def wrong_rows(connection: Connection) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield a line for each row whose values, each right by itself, do not go together."""
    for table in Base.metadata.sorted_tables:
        if {"spec", "flags", "probes"}.isdisjoint(table.columns.keys()):
            continue
        for raw in _raw_rows(connection, table):
            row = {column.name: _decoded(column, raw[column.name]) for column in table.columns}
            if problem := contradiction(row):
                yield f"{_place(table, raw)}: {problem}", _keys(table, raw)


def _raw_rows(connection: Connection, table: Table) -> Iterator[Mapping[str, Any]]:
    """The rows as the database's driver gives them, by columns."""
    columns = [type_coerce(column, NullType()).label(column.name) for column in table.columns]
    statement = select(*columns).order_by(*table.primary_key.columns)
    names = [column.name for column in table.columns]
    for row in connection.execution_options(yield_per=_CHUNK).execute(statement):
        yield dict(zip(names, row, strict=True))


def _problem(column: Column[Any], value: Any) -> str | None:
    try:
        return value_problem(column, _decoded(column, value))
    except ValueError as error:
        return f"is no JSON: {error}"


def _decoded(column: Column[Any], value: Any) -> Any:
    """A JSON text of SQLite as its value."""
    return json.loads(value) if isinstance(column.type, JSON) and isinstance(value, str | bytes) else value


def _place(table: Table, row: Mapping[str, Any]) -> str:
    return f"{table.name}, " + " ".join(f"{column.name} {_short(row[column.name])}" for column in table.primary_key.columns)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else f"({len(value)} bytes)" if isinstance(value, bytes) else json.dumps(value, default=str)
    return text if len(text) <= _SHOWN + 4 else f"{text[:_SHOWN]}..."


def _keys(table: Table, row: Mapping[str, Any]) -> tuple[str, ...]:
    """The key of the job that the row is of."""
    name = next((name for name in ("job_key", "model_key", "key") if name in table.columns), None)
    return (str(row[name]),) if name else ()
