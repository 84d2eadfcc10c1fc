"""Insert of many rows without those that a table has: on PostgreSQL by COPY, which takes half of the time of as many statements."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.exc import DBAPIError

from orchestrator.store.schema.base import Row
from orchestrator.store.writing.record import insert_ignoring, insert_or_ignore


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows that the table does not have; all have the same columns."""
    if rows and _may_copy(connection):
        _copied(connection, table, rows, returning=())
    else:
        insert_or_ignore(connection, table, rows)


def insert_or_return(connection: Connection, table: Table, rows: Sequence[Row]) -> list[Row]:
    """Insert the rows that the table does not have, and return the others, by their primary keys."""
    if not rows:
        return []
    keys = [column.name for column in table.primary_key.columns]
    if _may_copy(connection):
        found = _copied(connection, table, rows, returning=keys)
    else:
        statement = insert_ignoring(connection, table).on_conflict_do_nothing().returning(*table.primary_key.columns)
        found = connection.execute(statement, rows)
    new = set(map(tuple, found))
    return [row for row in rows if tuple(row[key] for key in keys) not in new]


def _may_copy(connection: Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    return bool(connection.execute(select(func.has_database_privilege(func.current_database(), "TEMPORARY"))).scalar_one())


def _copied(connection: Connection, table: Table, rows: Sequence[Row], *, returning: Sequence[str]) -> Any:
    """Copy the rows into a temporary table, and from there those that are new; return their values of some columns."""
    quote = connection.dialect.identifier_preparer.quote
    names, into = ", ".join(map(quote, rows[0])), quote(table.name)
    made = f"CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT {names} FROM {into} WITH NO DATA"  # noqa: S608 (our own names)
    connection.exec_driver_sql(made)
    _copy(connection, f"COPY incoming ({names}) FROM STDIN", table, rows)
    kept = f" RETURNING {', '.join(map(quote, returning))}" if returning else ""
    statement = f"INSERT INTO {into} ({names}) SELECT {names} FROM incoming ON CONFLICT DO NOTHING{kept}"  # noqa: S608
    found = connection.exec_driver_sql(statement)
    values = found.all() if returning else []
    connection.exec_driver_sql("DROP TABLE incoming")
    return values


def _copy(connection: Connection, statement: str, table: Table, rows: Sequence[Row]) -> None:
    """Send rows to the database, as its driver would send them in statements.

    Raises:
        DBAPIError: the database takes one of them not, or is gone.
    """
    dialect = connection.dialect
    processors = [(name, table.columns[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in rows[0]]
    driver: Any = dialect.dbapi
    cursor: Any = connection.connection.cursor()
    try:
        with cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([row[name] if process is None else process(row[name]) for name, process in processors])
    except driver.Error as error:
        raise DBAPIError.instance(statement, None, error, driver.Error, dialect=dialect) from error
