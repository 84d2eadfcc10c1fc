"""Reads of loss surfaces."""

from collections.abc import Hashable
from dataclasses import fields
from typing import Any, get_args

from sqlalchemy import select

from orchestrator.store.connection.lookup import sweep_id
from orchestrator.store.connection.session import Store
from orchestrator.store.reading.values import SurfaceRow
from orchestrator.store.schema.result_tables import SurfaceRecord, TrainedModelRecord
from orchestrator.store.schema.sweep_tables import JobRecord, SweepJobRecord, SweepRecord
from workers.spec.fields import AdversarialTraining, DefenceName

_RECORDS = (SurfaceRecord, TrainedModelRecord, JobRecord)
_DEFENCES, _TRAININGS = get_args(DefenceName), get_args(AdversarialTraining)


def surface_rows(store: Store, sweep: str | None) -> list[SurfaceRow]:
    """Return the loss surfaces of a sweep, or of all (then one row per sweep that holds the job), older spaces of a sweep included, models
    that were stopped at a rung left out.

    Sorted by sweep, data set, model, its settings from the simplest to the strongest (theta last, 1 first), then by the surface's
    (direction theta_one first).

    Raises:
        UserError: no such sweep.
    """
    columns = [SweepRecord.name.label("sweep"), *(_column(field.name) for field in fields(SurfaceRow) if field.name != "sweep")]
    statement = (
        select(*columns)
        .select_from(SurfaceRecord)
        .join(TrainedModelRecord, TrainedModelRecord.job_key == SurfaceRecord.model_key)
        .join(JobRecord, JobRecord.key == SurfaceRecord.model_key)
        .join(SweepJobRecord, SweepJobRecord.job_key == SurfaceRecord.job_key)
        .join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id)
        .where(TrainedModelRecord.until.is_(None))
    )
    with store.reading() as connection:
        if sweep is not None:
            statement = statement.where(SweepJobRecord.sweep_id == sweep_id(connection, sweep))
        found = [SurfaceRow(**{str(name): value for name, value in row.items()}) for row in connection.execute(statement).mappings()]
    return sorted(found, key=_order)


def _column(name: str) -> Any:
    """Return the column of a row's field, from the first table that has one of that name."""
    return next(record.__table__.columns[name] for record in _RECORDS if name in record.__table__.columns)


def _order(row: SurfaceRow) -> tuple[Hashable, ...]:
    defence = (_DEFENCES.index(row.defence), tuple(sorted((row.defence_settings or {}).items())))
    training = (_TRAININGS.index(row.adversarial_training), row.seed)
    rank = (row.rank_fraction or 0.0, tuple(row.stage_rank_fractions or ()), row.rank_kind)
    model = (row.dataset, row.model, row.width, row.binary, *rank, *defence, *training)
    surface = (row.example, row.norm, row.clip, row.extent, row.resolution, row.direction == "own", row.draws)
    return (row.sweep, *model, -row.theta, row.sketch_modes, row.rescale, row.model_key, *surface, row.job_key)
