"""The public schema: five views in SQL, whose names and columns stay while the tables behind them change.

Settings of components and metrics are columns by their names, as the registry has them; where a name is taken, with their section.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, Double, Float, and_, case, cast, func, inspect, or_, select, text
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from orchestrator.naming.own_settings import FIELDS
from orchestrator.naming.setting_kinds import SettingKind, kinds, kinds_of_components, training_kinds
from orchestrator.store.schema.base import AnySelect
from orchestrator.store.schema.result_tables import (
    AttackResultRecord,
    CleanResultRecord,
    CorruptionResultRecord,
    TrainedModelRecord,
    VerdictRecord,
    WorstCaseRecord,
)
from orchestrator.store.schema.sweep_tables import (
    AttemptRecord,
    JobParentRecord,
    JobRecord,
    SweepEpsilonRecord,
    SweepJobRecord,
    SweepRecord,
)
from workers.registry import ATTACKS, DATASETS, DEFENCES, METRICS, MODELS
from workers.spec.model import ModelSpec

_TRAINED = TrainedModelRecord.__table__.columns
_MODEL = (
    "dataset",
    "train_examples",
    "model",
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
_MODEL_MORE = (
    *("until", "rank_fractions", "modality", "n_classes", "randomised", "validation_examples"),
    *("data_settings", "model_settings", "model_options", "defence_settings"),
)
_ATTACK = (
    "attack",
    "knowledge",
    "norm",
    "epsilon",
    "epsilon_literal",
    "random_start",
    "loss",
    "target",
    "restarts",
    "eot_samples",
    "selection_draws",
    "early_stop",
    "backend",
    "sign_gradient",
    "source_key",
    "n_examples",
    "evaluation_batch_size",
    "repeat",
    "draws",
    "n_correct",
)
_ATTACK_MORE = ("takes_gradients", "selects", "one_step")
_EXAMPLES = ("example_order", "split")
_RENAMED = {"evaluation_batch_size": "batch_size"}


def _columns(record: type[object], names: tuple[str, ...]) -> list[ColumnElement[Any]]:
    return [getattr(record, _RENAMED.get(name, name)).label(name) for name in names]


def _attack_columns() -> list[ColumnElement[Any]]:
    """The columns of an attack, its epsilon as the sweep writes it."""
    written = func.coalesce(SweepEpsilonRecord.literal, AttackResultRecord.epsilon_literal).label("epsilon_literal")
    return [written if column.name == "epsilon_literal" else column for column in _columns(AttackResultRecord, _ATTACK)]


def _accuracy(record: type[AttackResultRecord | CleanResultRecord | CorruptionResultRecord]) -> ColumnElement[Any]:
    return cast(record.n_correct, Float) / (record.n_examples * record.draws)


SettingsColumn = tuple[str, Any, Mapping[str, SettingKind], str, str]
"""A section of a space, the JSON column of its settings, their kinds by name, what their columns' names begin with, and do where those are
taken."""

_OWN_JOB, _PARENT_JOB = aliased(JobRecord), aliased(JobRecord)
_EDGES = [aliased(JobParentRecord) for _ in range(3)]
_ANCESTORS = [aliased(TrainedModelRecord) for _ in _EDGES]
"""A model's ancestors, the nearest first: no chain of trainings is longer (see `planning/training_chain.py`)."""
_TRAINING = func.coalesce(*(model.training for model in reversed(_ANCESTORS)), TrainedModelRecord.training)
_FINE_TUNING = case((or_(_OWN_JOB.stage == "fine_tune", _PARENT_JOB.stage == "fine_tune"), TrainedModelRecord.training))


def _with_trainings(selected: AnySelect) -> AnySelect:
    """The query with each model's training from scratch, which may be an ancestor's, and its last fine-tuning: its own training or, of a
    defence around a fine-tuned model, that one's, which it repeats."""
    child: Any = TrainedModelRecord.job_key
    for edge, ancestor in zip(_EDGES, _ANCESTORS, strict=True):
        selected = selected.outerjoin(edge, and_(edge.child_key == child, edge.role == "weights"))
        selected = selected.outerjoin(ancestor, ancestor.job_key == edge.parent_key)
        child = edge.parent_key
    selected = selected.outerjoin(_OWN_JOB, _OWN_JOB.key == TrainedModelRecord.job_key)
    selected = selected.outerjoin(_PARENT_JOB, _PARENT_JOB.key == _EDGES[0].parent_key)
    return selected.add_columns(_TRAINING.label("training"), _FINE_TUNING.label("fine_tuning"))


def _model_sources() -> list[SettingsColumn]:
    model = TrainedModelRecord
    trained = {name: kind for name, kind in training_kinds().items() if name != "recipe"}
    options = {name: kind for name, kind in kinds(ModelSpec).items() if name not in _TRAINED}
    return [
        ("model", model.model_settings, kinds_of_components(MODELS), "", "model_"),
        ("data", model.data_settings, kinds_of_components(DATASETS), "", "data_"),
        ("defence", model.defence_settings, kinds_of_components(DEFENCES), "", "defence_"),
        ("model", model.model_options, options, "model_", ""),
        ("training", _TRAINING, trained, "training_", ""),
        ("fine_tuning", _FINE_TUNING, trained, "fine_tuning_", ""),
    ]


def _all_sources() -> list[SettingsColumn]:
    metrics: dict[str, SettingKind] = dict.fromkeys(METRICS.names(), "number")
    return [
        ("attacks", AttackResultRecord.settings, kinds_of_components(ATTACKS), "", "attacks_"),
        ("metrics", AttackResultRecord.metrics, metrics, "", "metrics_"),
        *_model_sources(),
    ]


def _titled(taken: Iterable[str], sources: Iterable[SettingsColumn]) -> Iterator[tuple[str, str, str, Any, SettingKind]]:
    """Yield section, name, column's title, JSON column and kind of each setting: by its name, or with its section where that is taken."""
    titles = {*taken}
    for section, column, found, prefix, otherwise in sources:
        for name, kind in found.items():
            if (title := otherwise + name if prefix + name in titles else prefix + name) not in titles:
                titles.add(title)
                yield section, name, title, column, kind


def _with_settings(selected: AnySelect, sources: Iterable[SettingsColumn], dialect: str) -> AnySelect:
    """The query with a column for each setting."""
    own = _titled([column.name for column in selected.selected_columns], sources)
    return selected.add_columns(*(_extracted(column, name, kind, dialect).label(title) for _, name, title, column, kind in own))


def _extracted(column: ColumnElement[Any], name: str, kind: SettingKind, dialect: str) -> ColumnElement[Any]:
    """A setting out of a JSON column; what is not of its kind is null on PostgreSQL, whose columns have one type."""
    if dialect == "sqlite":
        return func.json_extract(column, f'$."{name}"')
    text_of = func.json_extract_path_text(column, name)
    if kind == "text":
        return text_of
    is_one = func.json_typeof(func.json_extract_path(column, name)) == ("boolean" if kind == "boolean" else "number")
    value = cast(text_of, Boolean if kind == "boolean" else Double)
    return case((is_one, cast(value, BigInteger) if kind == "whole" else value))


def _models() -> AnySelect:
    training = TrainedModelRecord
    clean, validated = (
        select(func.avg(_accuracy(CleanResultRecord)))
        .where(CleanResultRecord.model_key == training.job_key, CleanResultRecord.split == split)
        .scalar_subquery()
        for split in ("test", "validation")
    )
    selected = (
        select(
            training.job_key.label("model_key"),
            JobRecord.stage,
            *_columns(training, _MODEL),
            clean.label("clean_accuracy"),
            VerdictRecord.verdict,
            training.seconds,
            training.finished_at,
            training.resumed_key,
            validated.label("validation_clean_accuracy"),
            *_columns(training, _MODEL_MORE),
        )
        .join(JobRecord, JobRecord.key == training.job_key)
        .outerjoin(VerdictRecord, VerdictRecord.model_key == training.job_key)
    )
    return _with_trainings(selected)


def _results() -> AnySelect:
    attack, clean = AttackResultRecord, CleanResultRecord
    clean_accuracy = select(func.avg(_accuracy(clean))).where(
        clean.model_key == attack.model_key,
        clean.n_examples == attack.n_examples,
        clean.batch_size == attack.batch_size,
        clean.example_order == attack.example_order,
        clean.split == attack.split,
    )
    selected = (
        select(
            SweepRecord.name.label("sweep"),
            SweepJobRecord.in_space,
            attack.model_key,
            attack.job_key,
            *_columns(TrainedModelRecord, _MODEL),
            *_attack_columns(),
            _accuracy(attack).label("robust_accuracy"),
            clean_accuracy.scalar_subquery().label("clean_accuracy"),
            VerdictRecord.verdict,
            attack.seconds,
            attack.finished_at,
            *_columns(TrainedModelRecord, _MODEL_MORE),
            *_columns(attack, _ATTACK_MORE),
            attack.settings.label("attack_settings"),
            attack.metrics,
            attack.forward_passes,
            attack.backward_passes,
            attack.queries,
            *_columns(attack, _EXAMPLES),
        )
        .select_from(SweepRecord)
        .join(SweepJobRecord, SweepJobRecord.sweep_id == SweepRecord.id)
        .join(attack, attack.job_key == SweepJobRecord.job_key)
        .join(TrainedModelRecord, TrainedModelRecord.job_key == attack.model_key)
        .outerjoin(VerdictRecord, VerdictRecord.model_key == attack.model_key)
        .outerjoin(SweepEpsilonRecord, and_(SweepEpsilonRecord.sweep_id == SweepRecord.id, SweepEpsilonRecord.epsilon == attack.epsilon))
    )
    return _with_trainings(selected)


def _jobs(_: str) -> AnySelect:
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


def _corruptions(_: str) -> AnySelect:
    record = CorruptionResultRecord
    of_evaluation = ("n_examples", "evaluation_batch_size", "example_order", "repeat", "draws", "n_correct")
    return (
        select(
            SweepRecord.name.label("sweep"),
            SweepJobRecord.in_space,
            record.model_key,
            record.job_key,
            *_columns(TrainedModelRecord, _MODEL),
            record.corruption,
            record.severity,
            record.seed.label("corruption_seed"),
            record.settings.label("corruption_settings"),
            *_columns(record, of_evaluation),
            _accuracy(record).label("accuracy"),
            record.seconds,
            record.finished_at,
        )
        .select_from(SweepRecord)
        .join(SweepJobRecord, SweepJobRecord.sweep_id == SweepRecord.id)
        .join(record, record.job_key == SweepJobRecord.job_key)
        .join(TrainedModelRecord, TrainedModelRecord.job_key == record.model_key)
    )


def _worst_cases() -> AnySelect:
    worst = WorstCaseRecord
    of_attackers = ("knowledge", "norm", "epsilon", "epsilon_literal", "n_examples", "evaluation_batch_size", "draws", "attacks")
    accuracies = ("accuracy", "ci_low", "ci_high")
    selected = (
        select(
            worst.model_key,
            *_columns(TrainedModelRecord, _MODEL),
            *_columns(worst, of_attackers + accuracies),
            VerdictRecord.verdict,
            *_columns(TrainedModelRecord, _MODEL_MORE),
            *_columns(worst, _EXAMPLES),
        )
        .join(TrainedModelRecord, TrainedModelRecord.job_key == worst.model_key)
        .outerjoin(VerdictRecord, VerdictRecord.model_key == worst.model_key)
    )
    return _with_trainings(selected)


_WITH_SETTINGS: dict[str, tuple[Callable[[], AnySelect], Callable[[], list[SettingsColumn]]]] = {
    "v_models": (_models, _model_sources),
    "v_results": (_results, _all_sources),
    "v_worst_case": (_worst_cases, _model_sources),
}
"""The query of each view before the settings of components, and those settings."""


def _whole(view: str, dialect: str) -> AnySelect:
    selected, sources = _WITH_SETTINGS[view]
    return _with_settings(selected(), sources(), dialect)


VIEWS: dict[str, Callable[[str], AnySelect]] = {
    "v_jobs": _jobs,
    "v_corruptions": _corruptions,
    **{view: partial(_whole, view) for view in _WITH_SETTINGS},
}
"""The query of each view, by its name, for a dialect. Views are made when the schema is upgraded, and when their columns change."""


def setting_columns(view: str) -> dict[str, str]:
    """The columns of a view that are settings, by the names of those in a space: `training.learning_rate`; none of `v_jobs`."""
    if view not in _WITH_SETTINGS:
        return {}
    selected, sources = _WITH_SETTINGS[view]
    plain = [column.name for column in selected().selected_columns]
    own = {f"{section}.{name}": title for section, name, title, *_ in _titled(plain, sources())}
    return own | {name: field for name, field in FIELDS.items() if field in plain}


def create_views(connection: Connection) -> None:
    """Make all views; there are none of them yet."""
    for name, selected in VIEWS.items():
        query = selected(connection.dialect.name).compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        connection.execute(text(f"CREATE VIEW {name} AS {query}"))


def drop_views(connection: Connection) -> None:
    """Remove the views that there are, so that the tables behind them can change."""
    for name in VIEWS:
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def are_current(connection: Connection) -> bool:
    """Tell if the views have a column for every setting and metric that is registered now."""
    there, dialect = inspect(connection), connection.dialect.name
    return all(
        {column.name for column in selected(dialect).selected_columns} <= {column["name"] for column in there.get_columns(name)}
        for name, selected in VIEWS.items()
    )
