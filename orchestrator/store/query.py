"""Reads of keys, names and results. Rows of the database never leave: callers get frozen values."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Select, select, union

from orchestrator.store.aggregate import Measurement, Setting, result_table
from orchestrator.store.lookup import sweep_id
from orchestrator.store.models import JobRecord, SweepJobRecord, SweepRecord
from orchestrator.store.pools import seed_pools
from orchestrator.store.result_models import AttackResultRecord, CleanResultRecord, TrainedModelRecord
from orchestrator.store.session import Store
from orchestrator.store.values import ResultRow

_UNREPORTED = {"job_key", "history", "seconds", "environment_id", "finished_at"}
_MODEL_COLUMNS = [column for column in TrainedModelRecord.__table__.columns if column.name not in _UNREPORTED]
_MEASURED = tuple(field.name for field in fields(Setting))
AnySelect = Select[*tuple[Any, ...]]


def finished_keys(store: Store) -> frozenset[str]:
    """The keys of all jobs that have a result."""
    with store.reading() as connection:
        return frozenset(connection.execute(select(JobRecord.key).where(JobRecord.state == "done")).scalars())


def sweep_names(store: Store) -> list[str]:
    """The names of all sweeps, sorted."""
    with store.reading() as connection:
        return sorted(connection.execute(select(SweepRecord.name)).scalars())


def result_rows(store: Store, sweep: str | None, *, per_repeat: bool, over_seeds: bool = False) -> list[ResultRow]:
    """The results of a sweep, or of all (then one row per sweep that holds the jobs), older spaces of a sweep included.

    A row is one trained model under one attack, knowledge, epsilon and so on, over its repeats or, with `per_repeat`, in one of
    them; with `over_seeds` it is all models that were made alike but for the training seed. Its clean accuracy is over the same
    examples, in batches of the same size and as many draws, in the same sweep (and repeat). A clean accuracy over examples, in batches
    or in draws that no attack on the model has in the sweep is a row with attack `none`. Sorted by sweep, data set,
    model, width, binary (false first), rank fraction, theta (1 first), defence (none first) and its settings, adversarial
    training (none first), seed, knowledge (randomized first), attack (from noise to Square), norm (linf first), epsilon, then the
    attack's other settings.

    Raises:
        UserError: no such sweep.
    """
    with store.reading() as connection:
        number = None if sweep is None else sweep_id(connection, sweep)
        clean = _measurements(connection, CleanResultRecord, number)
        attacks = _measurements(connection, AttackResultRecord, number)
        models = _models(connection, number)
        pools = seed_pools(connection, models) if over_seeds else None
    if over_seeds:
        models = {key: {**model, "seed": None} for key, model in models.items()}
    return result_table(models, clean, attacks, per_repeat=per_repeat, pools=pools)


def _of_sweep(statement: AnySelect, record: type[CleanResultRecord | AttackResultRecord], sweep: int | None) -> AnySelect:
    joined = statement.join(SweepJobRecord, SweepJobRecord.job_key == record.job_key)
    return joined if sweep is None else joined.where(SweepJobRecord.sweep_id == sweep)


def _measurements(connection: Connection, record: type[CleanResultRecord | AttackResultRecord], sweep: int | None) -> list[Measurement]:
    measured = [column for column in record.__table__.columns if column.name in _MEASURED]
    named = ["job_key", "model_key", "repeat", "flags", *(["epsilon_literal", "snr_db"] if record is AttackResultRecord else [])]
    columns = [SweepRecord.name.label("sweep"), *(record.__table__.columns[name] for name in named), *measured]
    statement = _of_sweep(select(*columns).select_from(record), record, sweep)
    rows = connection.execute(statement.join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id)).mappings()
    return list(_as_measurements(rows))


def _as_measurements(rows: Iterable[Mapping[Any, Any]]) -> Iterable[Measurement]:
    for row in rows:
        values = {str(name): value for name, value in row.items()}
        setting = Setting(**{name: values.pop(name) for name in _MEASURED if name in values})
        yield Measurement(setting=setting, **values)


def _models(connection: Connection, sweep: int | None) -> dict[str, dict[str, Any]]:
    """The reported columns of every model that the sweep has measured, by key."""
    measured = union(*(_of_sweep(select(record.model_key), record, sweep) for record in (CleanResultRecord, AttackResultRecord)))
    statement = select(TrainedModelRecord.job_key, JobRecord.stage, *_MODEL_COLUMNS).join(JobRecord)
    rows = connection.execute(statement.where(TrainedModelRecord.job_key.in_(measured))).mappings()
    return {row["job_key"]: {str(name): value for name, value in row.items() if name != "job_key"} for row in rows}
