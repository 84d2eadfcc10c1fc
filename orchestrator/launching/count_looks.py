"""Count of the choices that are made by results on test splits."""

from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from orchestrator.naming.names import counted
from orchestrator.store import open_store
from orchestrator.store.reading.test_looks import looks_at_test
from orchestrator.store.writing.record import record_test_looks
from workers.errors import UserError


def count_looks(store_url: str, sweep: str, datasets: Sequence[str]) -> list[str]:
    """Count a choice among models by their results on test; return lines that say how often each test split was looked at so far.

    A store that cannot be written is left as it is, and a line says so.

    Args:
        store_url: the store.
        sweep: the name of the sweep whose models were chosen among.
        datasets: the data set of each of the models; none where the choice was not made on test.
    """
    if not datasets:
        return []
    uncounted = ""
    try:
        with open_store(store_url, upgrade=True) as store, store.writing() as connection:
            record_test_looks(connection, sweep, datasets, reason="best")
    except (SQLAlchemyError, UserError):
        uncounted = ", this one not counted: the store cannot be written"
    with open_store(store_url, upgrade=False) as store, store.reading() as connection:
        found = looks_at_test(connection, datasets)
    return [
        f"the test split of {one.dataset} was looked at in {counted(one.times, 'choice')}, among {one.models} models{uncounted}"
        for one in found
    ] or ([f"the test split was looked at{uncounted}"] if uncounted else [])
