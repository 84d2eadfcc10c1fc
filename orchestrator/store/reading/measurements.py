"""Rows of the tables as what the aggregation works on: measurements and described models."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Select, select

from orchestrator.store.connection.lookup import chunks, of_sweep
from orchestrator.store.reading.aggregate import Measurement, Setting
from orchestrator.store.reading.own_settings import hashable
from orchestrator.store.schema.result_tables import AttackResultRecord, CleanResultRecord, TrainedModelRecord, VerdictRecord
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord, SweepJobRecord, SweepRecord
from orchestrator.store.writing.verdict_table import checks_of
from orchestrator.verdict import reasons

_UNREPORTED = {"job_key", "history", "seconds", "environment_id", "finished_at", "resumed_key"}
_MODEL_COLUMNS = [column for column in TrainedModelRecord.__table__.columns if column.name not in _UNREPORTED]
_MEASURED = tuple(field.name for field in fields(Setting) if field.name != "attack_settings")


def measured_columns(record: type[CleanResultRecord | AttackResultRecord]) -> list[Any]:
    """The columns of a table of results that make a `Measurement`, its sweep excepted."""
    named = ("job_key", "model_key", "repeat", "flags", "epsilon_literal", "settings", "metrics", *_MEASURED)
    return [column for column in record.__table__.columns if column.name in named]


def measured_in(record: type[CleanResultRecord | AttackResultRecord], sweep: int | None) -> Select[*tuple[Any, ...]]:
    """What `as_measurements` takes, of a sweep or of each, one row for each sweep that holds the job."""
    statement = select(SweepRecord.name.label("sweep"), *measured_columns(record)).select_from(record)
    return of_sweep(statement, record.job_key, sweep).join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id)


def as_measurements(rows: Iterable[Mapping[Any, Any]]) -> Iterable[Measurement]:
    """Rows with `sweep` and the `measured_columns`."""
    for row in rows:
        values = {str(name): value for name, value in row.items()}
        own = tuple((name, hashable(value)) for name, value in sorted((values.pop("settings", None) or {}).items()))
        setting = Setting(attack_settings=own, **{name: values.pop(name) for name in _MEASURED if name in values})
        yield Measurement(setting=setting, **values)


def described_models(connection: Connection, keys: Any) -> dict[str, dict[str, Any]]:
    """The reported columns of the models among `keys` (a list, or a select of keys), how they and their ancestors were trained, and the
    verdicts on them, by key."""
    judged = VerdictRecord.verdict, VerdictRecord.checks
    statement = select(TrainedModelRecord.job_key, JobRecord.stage, *_MODEL_COLUMNS, *judged).select_from(TrainedModelRecord)
    joined = statement.join(JobRecord).outerjoin(VerdictRecord, VerdictRecord.model_key == TrainedModelRecord.job_key)
    rows = connection.execute(joined.where(TrainedModelRecord.job_key.in_(keys))).mappings()
    found = {row["job_key"]: _described(row) for row in rows}
    trainings = _trainings(connection, found)
    return {key: {**model, **trainings[key]} for key, model in found.items()}


def _described(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of one model; that its forward passes are not random must be known."""
    fields_of_model = {str(name): value for name, value in row.items() if name not in {"job_key", "checks"}}
    return {**fields_of_model, "randomised": row["randomised"] is not False, "reasons": reasons(checks_of(row["checks"] or ()))}


def _trainings(connection: Connection, models: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each model the settings of its training from scratch and of the last fine-tuning, as far as they are recorded."""
    trained = {key: (model["stage"], model["training"]) for key, model in models.items()}
    parents: dict[str, str] = {}
    frontier = sorted(models)
    while frontier:
        parents |= _weights(connection, frontier)
        frontier = sorted({parents[key] for key in frontier if key in parents} - set(trained))
        trained |= _trained(connection, frontier)
    return {key: _training(key, trained, parents) for key in models}


def _weights(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    """For each model the one whose weights it started from, if any."""
    edge = JobParentRecord
    statement = select(edge.child_key, edge.parent_key).where(edge.role == "weights")
    found = (connection.execute(statement.where(edge.child_key.in_(chunk))) for chunk in chunks(keys))
    return {row.child_key: row.parent_key for rows in found for row in rows}


def _trained(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    model = TrainedModelRecord
    statement = select(model.job_key, JobRecord.stage, model.training).join(JobRecord, JobRecord.key == model.job_key)
    found = (connection.execute(statement.where(model.job_key.in_(chunk))) for chunk in chunks(keys))
    return {row.job_key: (row.stage, row.training) for rows in found for row in rows}


def _training(key: str, trained: Mapping[str, tuple[str, dict[str, Any]]], parents: Mapping[str, str]) -> dict[str, Any]:
    """The settings of a model's training from scratch, and of its last fine-tuning; a defence repeats its model's."""
    stage, own = trained.get(key, ("pretrain", {}))
    before = _training(parents[key], trained, parents) if key in parents else {"training": own, "fine_tuning": None}
    return {**before, "fine_tuning": own} if stage == "fine_tune" else before
