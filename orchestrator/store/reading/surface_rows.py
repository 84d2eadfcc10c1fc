"""Reads of loss surfaces."""

from dataclasses import fields
from typing import Any

from sqlalchemy import select

from orchestrator.naming.own_settings import in_order
from orchestrator.store.connection.session import Store, sweep_id
from orchestrator.store.reading.aggregate import model_order
from orchestrator.store.reading.measurements import described_models
from orchestrator.store.reading.values import SurfaceRow
from orchestrator.store.schema.result_tables import SurfaceRecord, TrainedModelRecord
from orchestrator.store.schema.sweep_tables import SweepJobRecord, SweepRecord

_OWN = [field.name for field in fields(SurfaceRow) if field.name in SurfaceRecord.__table__.columns]


def surface_rows(store: Store, sweep: str | None) -> list[SurfaceRow]:
    """Return the loss surfaces of a sweep, or of all (then one row per sweep that holds the job), of its space as it was last launched;
    models that were stopped at a rung are left out.

    Sorted by sweep, data set, model, its settings from the simplest to the strongest (theta last, 1 first), then by the surface's
    (direction theta_one first).

    Raises:
        UserError: no such sweep.
    """
    surface = SurfaceRecord.__table__
    columns = [SweepRecord.name.label("sweep"), *(surface.c[name] for name in _OWN)]
    statement = (
        select(*columns)
        .select_from(SurfaceRecord)
        .join(TrainedModelRecord, TrainedModelRecord.job_key == SurfaceRecord.model_key)
        .join(SweepJobRecord, SweepJobRecord.job_key == SurfaceRecord.job_key)
        .join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id)
        .where(TrainedModelRecord.until.is_(None), SweepJobRecord.in_space)
    )
    with store.reading() as connection:
        if sweep is not None:
            statement = statement.where(SweepJobRecord.sweep_id == sweep_id(connection, sweep))
        rows = connection.execute(statement).mappings().all()
        models = described_models(connection, sorted({row["model_key"] for row in rows}))
    found = [SurfaceRow(**{**models[row["model_key"]], **{str(name): value for name, value in row.items()}}) for row in rows]
    return sorted(found, key=_order)


def _order(row: SurfaceRow) -> tuple[Any, ...]:
    surface = (row.example, row.norm, row.clip, row.extent, row.resolution, row.direction == "own", row.draws)
    rank = (in_order(row.rank_fractions), row.rank_kind)
    return (row.sweep, *model_order(row), *rank, row.seed or 0, row.sketch_modes, row.rescale, row.model_key, *surface, row.job_key)
