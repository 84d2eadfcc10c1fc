"""The first rows of a large sweep, for people, without reading the outcomes of all its jobs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from orchestrator.store.connection.session import Store, of_sweep, sweep_id
from orchestrator.store.reading.aggregate import model_order
from orchestrator.store.reading.conditions import Condition
from orchestrator.store.reading.measurements import described_models
from orchestrator.store.reading.result_rows import result_rows
from orchestrator.store.reading.values import MeasuredModel, ResultRow
from orchestrator.store.schema.result_tables import TrainedModelRecord
from orchestrator.store.schema.sweep_tables import SweepJobRecord

MOST_MEASUREMENTS = 10_000
"""Evaluations and attacks of a sweep that are read in a second; of one with more, a table in a terminal shows the first rows."""
MEASURING = ("evaluate", "attack")
MOST_MODELS = 500  # in a condition that SQLite takes


@dataclass(frozen=True)
class FirstRows:
    """The first rows of a sweep, and how many models and measurements it has altogether."""

    rows: list[ResultRow]
    models: int
    measurements: int


def first_rows(
    store: Store, sweep: str, *, count: int, where: Sequence[Condition] = (), stopped: bool = False, **form: bool
) -> FirstRows | None:
    """Return at least the first `count` of the `result_rows`, where there are as many, in their order, by reading only as many models as it
    takes; None where that would be no less than all of them: a sweep of at most `MOST_MEASUREMENTS`, rows over the seeds of several models,
    and conditions on settings of which only all models tell what they are.

    Raises:
        UserError: no such sweep.
    """
    measurements = _measurements(store, sweep)
    if measurements <= MOST_MEASUREMENTS or form.get("over_seeds") or not all(condition.is_of_field for condition in where):
        return None
    keys = _models_in_order(store, sweep, every_space=bool(form.get("every_space")))
    rows: list[ResultRow] = []
    for chunk in _growing(keys, first=max(1, 6 * count * len(keys) // measurements)):
        chosen = Condition("model_key", "=", chunk)
        rows += result_rows(store, sweep, **{"per_repeat": False, **form}, where=(*where, chosen), stopped=stopped)
        if len(rows) >= count:
            break
    return FirstRows(rows, len(keys), measurements)


def _measurements(store: Store, sweep: str) -> int:
    """The number of the evaluations and attacks of the sweep's space, from an index."""
    with store.reading() as connection:
        held = SweepJobRecord.sweep_id == sweep_id(connection, sweep), SweepJobRecord.in_space, SweepJobRecord.stage.in_(MEASURING)
        return connection.execute(select(func.count()).select_from(SweepJobRecord).where(*held)).scalar_one()


def _models_in_order(store: Store, sweep: str, *, every_space: bool) -> list[str]:
    """The sweep's models in the order of its rows."""
    trained = TrainedModelRecord.job_key
    with store.reading() as connection:
        keys = of_sweep(select(trained), trained, sweep_id(connection, sweep), every_space=every_space)
        described = described_models(connection, keys)
    models = [MeasuredModel(sweep=sweep, model_key=key, **model) for key, model in described.items()]
    return [model.model_key for model in sorted(models, key=lambda model: (*model_order(model), model.seed or 0, model.model_key))]


def _growing(keys: Sequence[str], *, first: int) -> Iterator[tuple[str, ...]]:
    """Yield the keys in parts, each as large as all before it."""
    start, size = 0, first
    while start < len(keys):
        yield tuple(keys[start : start + min(size, MOST_MODELS)])
        start, size = start + min(size, MOST_MODELS), 2 * size
