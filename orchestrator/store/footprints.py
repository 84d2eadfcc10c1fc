"""GPU memory that the last jobs in the store took, for estimates of jobs like them."""

from dataclasses import dataclass

from sqlalchemy import select

from orchestrator.store.models import AttemptRecord
from orchestrator.store.session import Store
from orchestrator.store.timings import on_models
from workers.specs import JobSpec, TrainSpec

_MOST = 3000


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """Finished job: its spec, its model (itself, if it trained one), and the most bytes of a GPU that it held."""

    spec: JobSpec
    model: TrainSpec
    peak_memory: int


def recent_footprints(store: Store) -> list[Footprint]:
    """Return the footprints of the last few thousand jobs done on a GPU; a bounded number of rows is read, however large the store is."""
    measured = select(AttemptRecord.job_key, AttemptRecord.peak_memory).where(AttemptRecord.peak_memory.is_not(None))
    with store.reading() as connection:
        rows = connection.execute(measured.order_by(AttemptRecord.id.desc()).limit(_MOST))
        took = {key: peak for key, peak in rows if peak is not None}  # as asked for, which a type checker does not see
        known = on_models(connection, took)
    return [Footprint(spec=spec, model=model, peak_memory=took[key]) for key, (spec, model) in known.items()]
