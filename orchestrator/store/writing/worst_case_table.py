"""Table of worst cases: derived from a model's results in the transaction that records one of them, so that it is always up to date."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select

from orchestrator.store.reading.aggregate import WORST_CASE, result_table
from orchestrator.store.reading.measurements import as_measurements, described_models, measured_columns
from orchestrator.store.reading.values import ResultRow
from orchestrator.store.schema.result_tables import AttackResultRecord, WorstCaseRecord

_BALL = ("norm", "epsilon", "n_examples", "batch_size", "draws")
_COLUMNS = tuple(column.name for column in WorstCaseRecord.__table__.columns)


def refresh_worst_cases(connection: Connection, model_key: str, *, ball: dict[str, Any] | None = None) -> None:
    """Compute a model's worst cases anew, all of them or those of one `ball`, which is a row that has the columns norm, epsilon,
    n_examples, batch_size and draws. A model whose training is not recorded yet has none."""
    described = described_models(connection, [model_key])
    attacks = select(*measured_columns(AttackResultRecord)).where(*_within(AttackResultRecord, model_key, ball))
    measurements = as_measurements({"sweep": "", **row} for row in connection.execute(attacks).mappings())
    rows = result_table(described, [], measurements, per_repeat=False, worst=True)
    connection.execute(delete(WorstCaseRecord).where(and_(*_within(WorstCaseRecord, model_key, ball))))
    if kept := _kept(rows):
        connection.execute(insert(WorstCaseRecord), kept)


def _within(record: type[AttackResultRecord | WorstCaseRecord], model_key: str, ball: dict[str, Any] | None) -> list[Any]:
    of_ball = [] if ball is None else [getattr(record, name) == ball[name] for name in _BALL]
    return [record.model_key == model_key, *of_ball]


def _kept(rows: Sequence[ResultRow]) -> list[dict[str, Any]]:
    worst = [row for row in rows if row.attack == WORST_CASE and row.robust_accuracy is not None]
    return [{name: row.robust_accuracy if name == "accuracy" else getattr(row, name) for name in _COLUMNS} for row in worst]
