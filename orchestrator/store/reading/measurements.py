"""Conversion of table rows into what the aggregation works on: measurements and described models."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Select, select

from orchestrator.store.connection.lookup import of_sweep
from orchestrator.store.reading.aggregate import Measurement, Setting
from orchestrator.store.schema.result_tables import AttackResultRecord, CleanResultRecord, TrainedModelRecord, VerdictRecord
from orchestrator.store.schema.sweep_tables import JobRecord, SweepJobRecord, SweepRecord
from orchestrator.verdict import checks_of, reasons

_UNREPORTED = {"job_key", "history", "seconds", "environment_id", "finished_at", "resumed_key"}
_MODEL_COLUMNS = [column for column in TrainedModelRecord.__table__.columns if column.name not in _UNREPORTED]
_MEASURED = tuple(field.name for field in fields(Setting))


def measured_columns(record: type[CleanResultRecord | AttackResultRecord]) -> list[Any]:
    """Return the columns of a table of results that make a `Measurement`, except its sweep."""
    named = ["job_key", "model_key", "repeat", "flags", *(["epsilon_literal", "snr_db"] if record is AttackResultRecord else [])]
    columns = record.__table__.columns
    return [*(columns[name] for name in named), *(column for column in columns if column.name in _MEASURED)]


def measured_in(record: type[CleanResultRecord | AttackResultRecord], sweep: int | None) -> Select[*tuple[Any, ...]]:
    """Select the rows for `as_measurements`, of a sweep or of each, one row for each sweep that holds the job."""
    statement = select(SweepRecord.name.label("sweep"), *measured_columns(record)).select_from(record)
    return of_sweep(statement, record.job_key, sweep).join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id)


def as_measurements(rows: Iterable[Mapping[Any, Any]]) -> Iterable[Measurement]:
    """Convert rows with `sweep` and the `measured_columns`."""
    for row in rows:
        values = {str(name): value for name, value in row.items()}
        setting = Setting(**{name: values.pop(name) for name in _MEASURED if name in values})
        yield Measurement(setting=setting, **values)


def described_models(connection: Connection, keys: Any) -> dict[str, dict[str, Any]]:
    """Return the reported columns of the models among `keys` (a list, or a select of keys), and the verdicts on them, by key."""
    judged = VerdictRecord.verdict, VerdictRecord.checks
    statement = select(TrainedModelRecord.job_key, JobRecord.stage, *_MODEL_COLUMNS, *judged).select_from(TrainedModelRecord)
    joined = statement.join(JobRecord).outerjoin(VerdictRecord, VerdictRecord.model_key == TrainedModelRecord.job_key)
    rows = connection.execute(joined.where(TrainedModelRecord.job_key.in_(keys))).mappings()
    return {row["job_key"]: _described(row) for row in rows}


def _described(row: Mapping[Any, Any]) -> dict[str, Any]:
    fields_of_model = {str(name): value for name, value in row.items() if name not in {"job_key", "checks"}}
    return {**fields_of_model, "reasons": reasons(checks_of(row["checks"] or ()))}
