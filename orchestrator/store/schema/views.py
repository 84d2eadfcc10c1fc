"""Public schema: four views in SQL, whose names and columns stay while the tables behind them change."""

from typing import Any

from sqlalchemy import Connection, Float, Select, case, cast, func, select, text
from sqlalchemy.sql.elements import ColumnElement

from orchestrator.store.schema.result_tables import (
    AttackResultRecord,
    CleanResultRecord,
    TrainedModelRecord,
    VerdictRecord,
    WorstCaseRecord,
)
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord, SweepJobRecord, SweepRecord

_MODEL = (
    "dataset",
    "train_examples",
    "model",
    "width",
    "tensorized",
    "rank_fraction",
    "rank_kind",
    "theta",
    "sketch_modes",
    "rescale",
    "binary",
    "defence",
    "adversarial_training",
    "seed",
    "epochs",
    "n_parameters",
)
_ATTACK = (
    "attack",
    "knowledge",
    "norm",
    "epsilon",
    "epsilon_literal",
    "steps",
    "abs_stepsize",
    "random_start",
    "loss",
    "momentum",
    "target",
    "restarts",
    "eot_samples",
    "selection_draws",
    "early_stop",
    "backend",
    "sign_gradient",
    "source_key",
    "snr_db",
    "n_examples",
    "batch_size",
    "repeat",
    "draws",
    "n_correct",
)
AnySelect = Select[*tuple[Any, ...]]


def _columns(record: type[object], names: tuple[str, ...]) -> list[ColumnElement[Any]]:
    return [getattr(record, name) for name in names]


def _accuracy(record: type[AttackResultRecord | CleanResultRecord]) -> ColumnElement[Any]:
    return cast(record.n_correct, Float) / (record.n_examples * record.draws)


def _models() -> AnySelect:
    training = TrainedModelRecord
    clean = select(func.avg(_accuracy(CleanResultRecord))).where(CleanResultRecord.model_key == training.job_key).scalar_subquery()
    return (
        select(
            training.job_key.label("model_key"),
            JobRecord.stage,
            *_columns(training, _MODEL),
            clean.label("clean_accuracy"),
            VerdictRecord.verdict,
            training.seconds,
            training.finished_at,
            training.until,
            training.resumed_key,
            training.stage_rank_fractions,
        )
        .join(JobRecord, JobRecord.key == training.job_key)
        .outerjoin(VerdictRecord, VerdictRecord.model_key == training.job_key)
    )


def _results() -> AnySelect:
    attack, clean = AttackResultRecord, CleanResultRecord
    beside = select(func.avg(_accuracy(clean))).where(
        clean.model_key == attack.model_key, clean.n_examples == attack.n_examples, clean.batch_size == attack.batch_size
    )
    return (
        select(
            SweepRecord.name.label("sweep"),
            SweepJobRecord.in_space,
            attack.model_key,
            attack.job_key,
            *_columns(TrainedModelRecord, _MODEL),
            *_columns(attack, _ATTACK),
            _accuracy(attack).label("robust_accuracy"),
            beside.scalar_subquery().label("clean_accuracy"),
            VerdictRecord.verdict,
            attack.seconds,
            attack.finished_at,
            TrainedModelRecord.until,
            TrainedModelRecord.stage_rank_fractions,
        )
        .select_from(SweepRecord)
        .join(SweepJobRecord, SweepJobRecord.sweep_id == SweepRecord.id)
        .join(attack, attack.job_key == SweepJobRecord.job_key)
        .join(TrainedModelRecord, TrainedModelRecord.job_key == attack.model_key)
        .outerjoin(VerdictRecord, VerdictRecord.model_key == attack.model_key)
    )


def _jobs() -> AnySelect:
    attempts = select(func.count()).where(AttemptRecord.job_key == JobRecord.key).scalar_subquery()
    failure = (
        select(AttemptRecord.error)
        .where(AttemptRecord.job_key == JobRecord.key, AttemptRecord.outcome == "failed")
        .order_by(AttemptRecord.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            SweepRecord.name.label("sweep"),
            SweepJobRecord.in_space,
            JobRecord.key.label("job_key"),
            JobRecord.stage,
            JobRecord.state,
            attempts.label("attempts"),
            case((JobRecord.state == "failed", failure)).label("error"),
            JobRecord.spec,
        )
        .select_from(SweepRecord)
        .join(SweepJobRecord, SweepJobRecord.sweep_id == SweepRecord.id)
        .join(JobRecord, JobRecord.key == SweepJobRecord.job_key)
    )


def _worst_cases() -> AnySelect:
    worst = WorstCaseRecord
    of_attackers = ("knowledge", "norm", "epsilon", "epsilon_literal", "n_examples", "batch_size", "draws", "attacks")
    accuracies = ("accuracy", "ci_low", "ci_high")
    return (
        select(
            worst.model_key,
            *_columns(TrainedModelRecord, _MODEL),
            *_columns(worst, of_attackers + accuracies),
            VerdictRecord.verdict,
            TrainedModelRecord.until,
            TrainedModelRecord.stage_rank_fractions,
        )
        .join(TrainedModelRecord, TrainedModelRecord.job_key == worst.model_key)
        .outerjoin(VerdictRecord, VerdictRecord.model_key == worst.model_key)
    )


VIEWS = {"v_jobs": _jobs, "v_models": _models, "v_results": _results, "v_worst_case": _worst_cases}
"""Select of each view, by its name. A change of one needs a new revision of the schema: views are made when that is upgraded."""


def create_views(connection: Connection) -> None:
    """Make all views; there are none of them yet."""
    for name, selected in VIEWS.items():
        query = selected().compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        connection.execute(text(f"CREATE VIEW {name} AS {query}"))


def drop_views(connection: Connection) -> None:
    """Remove the views that there are, so that the tables behind them can change."""
    for name in VIEWS:
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
