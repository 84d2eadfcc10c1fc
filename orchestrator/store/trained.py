"""Reads of trained models and of their training."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Double, cast, func, select

from orchestrator.store.jobs import find_key
from orchestrator.store.models import JobRecord
from orchestrator.store.result_models import CleanResultRecord, TrainedModelRecord, VerdictRecord
from orchestrator.store.session import Store
from orchestrator.store.sql import Answer
from workers.errors import UserError

EPOCH_COLUMNS = {"epoch": "int64", "loss": "float64", "accuracy": "float64", "learning_rate": "float64"}
"""Fields of `EpochRecord`, and their NumPy types."""
_LEFT_OUT = {"job_key", "history", "environment_id"}


def trained_models(store: Store) -> Answer:
    """Return every trained model, sorted by data set, network, theta and key, with its mean clean accuracy over all evaluations (None where
    there is none) and its verdict (None where it was neither attacked nor diagnosed)."""
    model, clean = TrainedModelRecord.__table__, CleanResultRecord
    share = cast(func.sum(clean.n_correct), Double) / func.sum(clean.n_examples * clean.draws)
    accuracy = select(share).where(clean.model_key == model.c.job_key).scalar_subquery()
    columns = [column for column in model.columns if column.name not in _LEFT_OUT]
    statement = (
        select(
            model.c.job_key.label("model_key"),
            JobRecord.stage,
            *columns,
            accuracy.label("clean_accuracy"),
            VerdictRecord.verdict,
        )
        .join(JobRecord, JobRecord.key == model.c.job_key)
        .outerjoin(VerdictRecord, VerdictRecord.model_key == model.c.job_key)
        .order_by(model.c.dataset, model.c.model, model.c.theta, model.c.job_key)
    )
    with store.reading() as connection:
        result = connection.execute(statement)
        return Answer(tuple(result.keys()), tuple(tuple(row) for row in result))


def history(store: Store, digits: str) -> tuple[Mapping[str, Any], ...]:
    """Return the epochs of a model's training, each as `EpochRecord`; none where only a defence was put around it.

    Raises:
        UserError: no such job, several, or one that is no trained model.
    """
    key = find_key(store, digits)
    with store.reading() as connection:
        found = connection.execute(select(TrainedModelRecord.history).where(TrainedModelRecord.job_key == key)).scalar_one_or_none()
    if found is None:
        raise UserError(
            f"key '{digits}': that job has trained no model yet, or is none that does; `robustsweep show {key[:12]}` says which"
        )
    return tuple(found)
