"""Look-ups of a sweep by its name, and of what belongs to it."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, select

from orchestrator.store.schema.sweep_tables import SweepJobRecord, SweepRecord
from workers.errors import UserError

T = TypeVar("T")
_CHUNK = 500  # SQLite takes only so many values in one statement


def sweep_id(connection: Connection, name: str) -> int:
    """Return the id of the sweep of that name.

    Raises:
        UserError: no such sweep; names the ones there are.
    """
    found = connection.execute(select(SweepRecord.id).where(SweepRecord.name == name)).scalar()
    if found is None:
        names = connection.execute(select(SweepRecord.name).order_by(SweepRecord.name)).scalars().all()
        raise UserError(f"sweep '{name}': " + (f"one of {', '.join(names)}" if names else "the store holds no sweeps yet"))
    return found


def of_sweep(statement: Select[*tuple[Any, ...]], key: Any, sweep: int | None) -> Select[*tuple[Any, ...]]:
    """Restrict the statement to the jobs of the sweep, `key` being the column of their keys; for None: to those of each sweep."""
    joined = statement.join(SweepJobRecord, SweepJobRecord.job_key == key)
    return joined if sweep is None else joined.where(SweepJobRecord.sweep_id == sweep)


def chunks(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the keys in parts that one statement takes, in their order."""
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]
