"""Record of looks at test splits: choices made there are optimistic, and the more so the more models there were to choose from."""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from orchestrator.store.schema.base import table_of, utc_now
from orchestrator.store.schema.sweep_tables import LookReason, TestLookRecord
from orchestrator.store.writing.record import insert_or_ignore


def record_test_looks(connection: Connection, sweep: str, datasets: Iterable[str], *, reason: LookReason) -> None:
    """Record a look at the test splits of some data sets.

    Args:
        connection: with an open transaction.
        sweep: its name.
        datasets: the data set of each model that was looked at.
        reason: see `TestLookRecord`.
    """
    at = utc_now()
    rows = [
        {"dataset": dataset, "sweep": sweep, "reason": reason, "looked_at": at, "models": models}
        for dataset, models in sorted(Counter(datasets).items())
    ]
    insert_or_ignore(connection, table_of(TestLookRecord), rows)
