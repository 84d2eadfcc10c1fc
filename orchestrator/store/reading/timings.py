"""Durations of the last jobs in the store, for estimates of jobs like them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from orchestrator.store.connection.session import Store, parents_of, rows_in
from orchestrator.store.reading.report_evidence import OUTCOMES
from orchestrator.store.reading.stored_specs import runnable_spec
from orchestrator.store.schema.result_tables import EnvironmentRecord, TrainedModelRecord
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord
from workers.spec.job import shard_role
from workers.spec.stage_specs import JobSpec, TrainSpec

_MOST, _MOST_TRAINED = 3000, 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Finished job: its spec, its model (itself, if it trained one), seconds of computing, and the device: `cpu` or `cuda`."""

    spec: JobSpec
    model: TrainSpec
    seconds: float
    device: str


def recent_timings(store: Store) -> list[Timing]:
    """Return the last few thousand finished jobs, the newest attempts first; a bounded number of rows is read, however large the store."""
    with store.reading() as connection:
        done = select(AttemptRecord.job_key).where(AttemptRecord.outcome == "done", AttemptRecord.number == 1)
        keys = connection.execute(done.order_by(AttemptRecord.id.desc()).limit(_MOST)).scalars().all()
        trained = select(TrainedModelRecord.job_key).order_by(TrainedModelRecord.finished_at.desc()).limit(_MOST_TRAINED)
        joined = parents_of(connection, keys, role=shard_role(0))  # from shards, in no time
        wanted = [key for key in dict.fromkeys([*keys, *connection.execute(trained).scalars()]) if key not in joined]
        known, took = on_models(connection, wanted), _took(connection, sorted(wanted))
    measured = ((*known[key], *took[key]) for key in wanted if key in known and key in took)
    return [Timing(spec=spec, model=model, seconds=seconds, device=device) for spec, model, seconds, device in measured]


def on_models(connection: Connection, keys: Iterable[str]) -> dict[str, tuple[JobSpec, TrainSpec]]:
    """Return the jobs' specs, and the training of the models that they measured, or did themselves, by key; those whose components are not
    installed here are left out."""
    wanted = sorted(keys)
    models = parents_of(connection, wanted, role="model")
    specs = _specs(connection, sorted({*wanted, *models.values()}))
    return {key: (specs[key], model) for key in wanted if key in specs and isinstance(model := specs.get(models.get(key, key)), TrainSpec)}


def _specs(connection: Connection, keys: Sequence[str]) -> dict[str, JobSpec]:
    rows = rows_in(connection, select(JobRecord.key, JobRecord.spec), JobRecord.key, keys)
    return {key: spec for key, text in rows if (spec := runnable_spec(text)) is not None}


def _took(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[float, str]]:
    found: dict[str, tuple[float, str]] = {}
    for record in OUTCOMES:
        statement = select(record.job_key, record.seconds, EnvironmentRecord.device)
        statement = statement.join(EnvironmentRecord, EnvironmentRecord.id == record.environment_id)
        if record is TrainedModelRecord:  # for one that was resumed from a rung the seconds are not those of all epochs
            statement = statement.where(TrainedModelRecord.resumed_key.is_(None))
        rows = rows_in(connection, statement, record.job_key, keys)
        found.update((key, (seconds, device.partition(":")[0])) for key, seconds, device in rows)
    return found


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
