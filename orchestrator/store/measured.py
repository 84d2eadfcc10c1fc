"""Rows of the tables as what the aggregation works on: measurements and described models."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, select

from orchestrator.store.aggregate import Measurement, Setting
from orchestrator.store.models import JobRecord
from orchestrator.store.result_models import AttackResultRecord, CleanResultRecord, TrainedModelRecord

_UNREPORTED = {"job_key", "history", "seconds", "environment_id", "finished_at"}
_MODEL_COLUMNS = [column for column in TrainedModelRecord.__table__.columns if column.name not in _UNREPORTED]
_MEASURED = tuple(field.name for field in fields(Setting))


def measured_columns(record: type[CleanResultRecord | AttackResultRecord]) -> list[Any]:
    """The columns of a table of results that make a `Measurement`, its sweep excepted."""
    named = ["job_key", "model_key", "repeat", "flags", *(["epsilon_literal", "snr_db"] if record is AttackResultRecord else [])]
    columns = record.__table__.columns
    return [*(columns[name] for name in named), *(column for column in columns if column.name in _MEASURED)]


def as_measurements(rows: Iterable[Mapping[Any, Any]]) -> Iterable[Measurement]:
    """Rows with `sweep` and the `measured_columns`."""
    for row in rows:
        values = {str(name): value for name, value in row.items()}
        setting = Setting(**{name: values.pop(name) for name in _MEASURED if name in values})
        yield Measurement(setting=setting, **values)


def described_models(connection: Connection, keys: Any) -> dict[str, dict[str, Any]]:
    """The reported columns of the models among `keys` (a list, or a select of keys), by key."""
    statement = select(TrainedModelRecord.job_key, JobRecord.stage, *_MODEL_COLUMNS).join(JobRecord)
    rows = connection.execute(statement.where(TrainedModelRecord.job_key.in_(keys))).mappings()
    return {row["job_key"]: {str(name): value for name, value in row.items() if name != "job_key"} for row in rows}
