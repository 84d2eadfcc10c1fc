"""Tables that revisions make, as short as SQL: `id int, name name, launched_at time?`, where `?` marks a column that may be null."""

from typing import Any

import sqlalchemy as sa
from alembic import op

_KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "key": sa.String(length=64),
    "word": sa.String(length=32),
    "name": sa.String(length=200),
    "string": sa.String(),
    "text": sa.Text(),
    "int": sa.Integer(),
    "long": sa.BigInteger(),
    "float": sa.Double(),
    "flag": sa.Boolean(),
    "time": sa.DateTime(timezone=True),
    "json": sa.JSON(),
    "bytes": sa.LargeBinary(),
}


def create_table(table: str, columns: str, *, primary: str, refers: str = "", unique: str = "", check: str = "", index: str = "") -> None:
    """Create a table, with its constraints and an index by the names that the schema gives them.

    Args:
        table: its name.
        columns: a name and a kind each, joined by commas.
        primary, unique, index: names of columns.
        refers: a column and what it refers to, `job_key jobs.key`, joined by commas.
        check: a column and the condition that it must meet.
    """
    parts: list[Any] = [_column(*part.split()) for part in columns.split(", ")]
    if check:
        parts.append(sa.CheckConstraint(check, name=op.f(f"ck_{table}_{check.split(maxsplit=1)[0]}")))
    for column, target in (part.split() for part in refers.split(", ") if part):
        name = op.f(f"fk_{table}_{column}_{target.partition('.')[0]}")
        parts.append(sa.ForeignKeyConstraint([column], [target], name=name))
    parts.append(sa.PrimaryKeyConstraint(*primary.split(), name=op.f(f"pk_{table}")))
    if unique:
        parts.append(sa.UniqueConstraint(*unique.split(), name=op.f(f"uq_{table}_{'_'.join(unique.split())}")))
    op.create_table(table, *parts)
    if index:
        op.create_index(op.f(f"ix_{table}_{'_'.join(index.split())}"), table, index.split())


def create_results(table: str, columns: str) -> None:
    """Create a table of results of one stage: the columns that every such table has, with its own in between."""
    create_table(
        table,
        f"job_key key, model_key key, {columns}, seconds float, environment_id key, finished_at time",
        primary="job_key",
        refers="environment_id environments.id, job_key jobs.key, model_key jobs.key",
        index="model_key",
    )


def _column(name: str, kind: str) -> sa.Column[Any]:
    return sa.Column(name, _KINDS[kind.removesuffix("?")], nullable=kind.endswith("?"))
