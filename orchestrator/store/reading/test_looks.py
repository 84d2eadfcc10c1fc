"""Reads of how often test splits were looked at."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from orchestrator.store.schema.sweep_tables import TestLookRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class TestLooks:
    """Looks at the test split of a data set in choosing: how often, and at how many models in all."""

    dataset: str
    times: int
    models: int


def looks_at_test(connection: Connection, datasets: Iterable[str]) -> list[TestLooks]:
    """Return the looks at the test splits of these data sets by which something was chosen, in all sweeps; none where there were none."""
    look = TestLookRecord
    statement = select(look.dataset, func.count(), func.sum(look.models)).where(look.reason != "winner", look.dataset.in_(set(datasets)))
    found = connection.execute(statement.group_by(look.dataset).order_by(look.dataset))
    return [TestLooks(dataset=dataset, times=times, models=models) for dataset, times, models in found]
