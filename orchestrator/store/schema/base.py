"""Common parts of the tables: the declarative base, constraint names that both back ends accept, and UTC timestamps."""

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import JSON, Boolean, DateTime, Dialect, Double, ForeignKey, MetaData, Select, String, Table, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, mapped_column

AnySelect = Select[*tuple[Any, ...]]
Row = dict[str, Any]
"""Values of a row to be written, by column."""

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def utc_now() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware timestamp, stored and returned in UTC on every back end (SQLite keeps no zone, PostgreSQL returns its session's)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is not None and value.tzinfo is None:
            raise ValueError(f"timestamp {value}: must carry a time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base class with the store's metadata; `bool`, `float`, `datetime` and JSON annotations have one column type each."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {
        bool: Boolean,
        float: Double,
        datetime: UtcDateTime,
        dict[str, Any]: JSON(none_as_null=True),
        list[float]: JSON(none_as_null=True),
        list[dict[str, Any]]: JSON(none_as_null=True),
    }


def table_of(record: type[Base]) -> Table:
    """Return the table of an ORM class."""
    return Base.metadata.tables[record.__tablename__]


Key = Annotated[str, mapped_column(String(64))]
Name = Annotated[str, mapped_column(String(200))]
Word = Annotated[str, mapped_column(String(32))]
JobKey = Annotated[str, mapped_column(String(64), ForeignKey("jobs.key"))]
PrimaryJobKey = Annotated[str, mapped_column(String(64), ForeignKey("jobs.key"), primary_key=True)]
ModelKey = Annotated[str, mapped_column(String(64), ForeignKey("jobs.key"), index=True)]
EnvironmentId = Annotated[str, mapped_column(String(64), ForeignKey("environments.id"))]
