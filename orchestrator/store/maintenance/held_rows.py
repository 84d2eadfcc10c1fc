"""Jobs that sweeps hold, and rows that belong to them: derived from the tables' references, so that new tables are included."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Select, Table, select

from orchestrator.store.schema.base import Base
from orchestrator.store.schema.sweep_tables import JobParentRecord, SweepJobRecord

Sweeps = Sequence[int] | Select[int]


def keys_of(sweeps: Sweeps) -> Select[str]:
    """Select the keys of the jobs that these sweeps hold, in their space or out of it, with all their ancestors."""
    found = select(SweepJobRecord.job_key.label("key")).where(SweepJobRecord.sweep_id.in_(sweeps)).cte("held", recursive=True)
    ancestors = select(JobParentRecord.parent_key).join(found, found.c.key == JobParentRecord.child_key)
    everything = found.union(ancestors)
    return select(everything.c.key)


def descendants_of(sweeps: Sweeps) -> Select[str]:
    """Select the keys of the jobs that these sweeps hold, with everything made from them."""
    found = select(SweepJobRecord.job_key.label("key")).where(SweepJobRecord.sweep_id.in_(sweeps)).cte("made", recursive=True)
    children = select(JobParentRecord.child_key).join(found, found.c.key == JobParentRecord.parent_key)
    everything = found.union(children)
    return select(everything.c.key)


def owner(table: Table, target: str) -> Column[Any] | None:
    """Return the first column that refers to `target` (`jobs.key`, `sweeps.id`), to whose row the table's row belongs."""
    return next((column for column in table.columns if any(key.target_fullname == target for key in column.foreign_keys)), None)


def referring(table: Table) -> list[Column[Any]]:
    """Return the columns of other tables that refer to this one's key."""
    (target,) = (f"{table.name}.{column.name}" for column in table.primary_key)
    return [column for other in Base.metadata.sorted_tables if (column := owner(other, target)) is not None]
