"""Reads of accuracies under common corruptions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
from sqlalchemy import Connection, Float, cast, func, select

from orchestrator.naming.own_settings import in_order
from orchestrator.statistics.intervals import accuracy_interval
from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.store.connection.session import Store, of_sweep, sweep_id
from orchestrator.store.reading.aggregate import model_order
from orchestrator.store.reading.measurements import described_models
from orchestrator.store.reading.values import CorruptionRow, ResultRow
from orchestrator.store.schema.result_tables import CorruptionResultRecord, TrainedModelRecord
from orchestrator.store.schema.sweep_tables import SweepJobRecord, SweepRecord
from workers.artifacts.outcomes import unpack_flags

_CELL = ("corruption", "severity", "seed", "n_examples", "batch_size", "draws", "example_order")
_RENAMED = {"seed": "corruption_seed", "batch_size": "evaluation_batch_size"}
CorruptedMeasurement = tuple[str, str, int, str]
"""A sweep, a model, and of how many examples in which order."""


def corruption_rows(store: Store, sweep: str | None) -> list[CorruptionRow]:
    """Return the accuracies of a sweep's models under corruptions, or of all (then a row for each sweep that holds the job), of its space
    as it was last launched; models that were stopped at a rung are left out.

    Sorted by sweep, model as results are, corruption and severity.

    Raises:
        UserError: no such sweep.
    """
    record = CorruptionResultRecord
    columns = [record.__table__.c[name] for name in ("job_key", "model_key", "repeat", "flags", *_CELL)]
    statement = select(SweepRecord.name.label("sweep"), *columns).select_from(record)
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        statement = of_sweep(statement, record.job_key, number).join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id)
        statement = statement.join(TrainedModelRecord, TrainedModelRecord.job_key == record.model_key)
        rows = connection.execute(statement.where(TrainedModelRecord.until.is_(None)).order_by(record.repeat)).mappings().all()
        models = described_models(connection, sorted({row["model_key"] for row in rows}))
    cells: defaultdict[tuple[Any, ...], list[Mapping[Any, Any]]] = defaultdict(list)
    for row in rows:
        cells[row["sweep"], row["model_key"], *(row[name] for name in _CELL)].append(row)
    return sorted((_row(items, models[items[0]["model_key"]]) for items in cells.values()), key=_order)


def _row(items: Sequence[Mapping[Any, Any]], model: Mapping[str, Any]) -> CorruptionRow:
    """Return the row of all repeats of one measurement."""
    first = items[0]
    flags = np.stack([unpack_flags(item["flags"], n_examples=item["n_examples"], draws=item["draws"]) for item in items])
    accuracy, low, high = accuracy_interval(flags, SharedDraws(batch=first["batch_size"], crafted=False))
    return CorruptionRow(
        **{**model, "sweep": first["sweep"], "model_key": first["model_key"]},
        **{_RENAMED.get(name, name): first[name] for name in _CELL},
        repeats=len(items),
        accuracy=accuracy,
        ci_low=low,
        ci_high=high,
        job_keys=tuple(item["job_key"] for item in items),
    )


def _order(row: CorruptionRow) -> tuple[Any, ...]:
    model = (row.sweep, *model_order(row), in_order(row.rank_fractions), row.seed or 0, row.model_key)
    return (*model, row.corruption, row.severity, row.n_examples, row.corruption_seed, row.job_keys)


def corruption_means(connection: Connection, sweep: int | None, *, every_space: bool) -> dict[CorruptedMeasurement, float]:
    """Return the mean accuracy of each model over its corruptions, of each the mean over its severities."""
    record = CorruptionResultRecord
    accuracy = func.avg(cast(record.n_correct, Float) / (record.n_examples * record.draws))
    group = SweepRecord.name, record.model_key, record.n_examples, record.example_order, record.corruption, record.severity
    statement = of_sweep(select(*group, accuracy).select_from(record), record.job_key, sweep, every_space=every_space)
    statement = statement.join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id).group_by(*group)
    found: defaultdict[CorruptedMeasurement, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name, model, examples, order, corruption, _, mean in connection.execute(statement):
        found[name, model, examples, order][corruption].append(float(mean))
    return {measured: fmean(map(fmean, kinds.values())) for measured, kinds in found.items()}


def with_corruptions(
    rows: Iterable[ResultRow], means: Mapping[CorruptedMeasurement, float], pools: Mapping[str, str] | None
) -> list[ResultRow]:
    """Return result rows with the mean accuracy under corruptions of their models, those that `pools` has together averaged."""
    if not means:
        return list(rows)
    pooled: defaultdict[CorruptedMeasurement, list[float]] = defaultdict(list)
    for (sweep, model, examples, order), mean in means.items():
        pooled[sweep, (pools or {}).get(model, model), examples, order].append(mean)
    averages = {measured: fmean(found) for measured, found in pooled.items()}
    return [replace(row, corruption_accuracy=averages.get(_measured(row))) if row.split == "test" else row for row in rows]


def _measured(row: ResultRow) -> CorruptedMeasurement:
    """Key by which a row's corruptions are found; only test examples are corrupted."""
    return row.sweep, row.model_key, row.n_examples, row.example_order
