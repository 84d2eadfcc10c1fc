"""Conversion of table rows into what the aggregation works on: measurements and described models."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from orchestrator.own_settings import hashable
from orchestrator.store.connection.lookup import chunks, of_sweep
from orchestrator.store.reading.aggregate import Measurement, Setting
from orchestrator.store.schema.result_tables import AttackResultRecord, CleanResultRecord, TrainedModelRecord, VerdictRecord
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord, SweepJobRecord, SweepRecord
from orchestrator.verdict import checks_of, reasons

_UNREPORTED = {"job_key", "history", "seconds", "environment_id", "finished_at", "resumed_key"}
_MODEL_COLUMNS = [column for column in TrainedModelRecord.__table__.columns if column.name not in _UNREPORTED]
_MEASURED = tuple(field.name for field in fields(Setting) if field.name != "attack_settings")


def measured_columns(record: type[CleanResultRecord | AttackResultRecord]) -> list[Any]:
    """Return the columns of a table of results that make a `Measurement`, except its sweep."""
    named = ("job_key", "model_key", "repeat", "flags", "epsilon_literal", "settings", "metrics", *_MEASURED)
    return [column for column in record.__table__.columns if column.name in named]


def measured_in(record: type[CleanResultRecord | AttackResultRecord], sweep: int | None) -> Select[*tuple[Any, ...]]:
    """Select the rows for `as_measurements`, of a sweep or of each, one row for each sweep that holds the job."""
    statement = select(SweepRecord.name.label("sweep"), *measured_columns(record)).select_from(record)
    return of_sweep(statement, record.job_key, sweep).join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id)


def as_measurements(rows: Iterable[Mapping[Any, Any]]) -> Iterable[Measurement]:
    """Convert rows with `sweep` and the `measured_columns`."""
    for row in rows:
        values = {str(name): value for name, value in row.items()}
        own = tuple((name, hashable(value)) for name, value in sorted((values.pop("settings", None) or {}).items()))
        setting = Setting(attack_settings=own, **{name: values.pop(name) for name in _MEASURED if name in values})
        yield Measurement(setting=setting, **values)


def described_models(connection: Connection, keys: Any) -> dict[str, dict[str, Any]]:
    """The reported columns of the models among `keys` (a list, or a select of keys), how they and their ancestors were trained, and the
    verdicts on them, by key."""
    judged = VerdictRecord.verdict, VerdictRecord.checks
    statement = _of_models(TrainedModelRecord.job_key, JobRecord.stage, *_MODEL_COLUMNS, *judged)
    joined = statement.outerjoin(VerdictRecord, VerdictRecord.model_key == TrainedModelRecord.job_key)
    rows = connection.execute(joined.where(TrainedModelRecord.job_key.in_(keys))).mappings().all()
    trainings = _trainings(connection, {row["job_key"]: (row["stage"], row["training"], row["parent_key"]) for row in rows})
    return {row["job_key"]: {**_described(row), **trainings[row["job_key"]]} for row in rows}


def _of_models(*columns: Any) -> Select[*tuple[Any, ...]]:
    """These columns of trained models, and the model whose weights each started from."""
    weights = and_(JobParentRecord.child_key == TrainedModelRecord.job_key, JobParentRecord.role == "weights")
    statement = select(*columns, JobParentRecord.parent_key).select_from(TrainedModelRecord)
    return statement.join(JobRecord, JobRecord.key == TrainedModelRecord.job_key).outerjoin(JobParentRecord, weights)


def _described(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of one model; that its forward passes are not random must be known."""
    fields_of_model = {str(name): value for name, value in row.items() if name not in {"job_key", "parent_key", "checks"}}
    return {**fields_of_model, "randomised": row["randomised"] is not False, "reasons": reasons(checks_of(row["checks"] or ()))}


_Trained = tuple[str, dict[str, Any], str | None]
"""The stage of a model, the settings of its own training, and the model whose weights it started from."""


def _trainings(connection: Connection, models: Mapping[str, _Trained]) -> dict[str, dict[str, Any]]:
    """For each model the settings of its training from scratch and of the last fine-tuning, as far as they are recorded."""
    trained = dict(models)
    while missing := sorted({parent for _, _, parent in trained.values() if parent is not None} - set(trained)):
        statement = _of_models(TrainedModelRecord.job_key, JobRecord.stage, TrainedModelRecord.training)
        trained |= dict.fromkeys(missing, ("pretrain", {}, None))
        for chunk in chunks(missing):
            for key, *found in connection.execute(statement.where(TrainedModelRecord.job_key.in_(chunk))):
                trained[key] = (found[0], found[1], found[2])
    return {key: _training(key, trained) for key in models}


def _training(key: str, trained: Mapping[str, _Trained]) -> dict[str, Any]:
    """The settings of a model's training from scratch, and of its last fine-tuning; a defence repeats its model's."""
    stage, own, parent = trained[key]
    before = {"training": own, "fine_tuning": None} if parent is None else _training(parent, trained)
    return {**before, "fine_tuning": own} if stage == "fine_tune" else before
