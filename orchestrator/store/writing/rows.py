"""Conversion of specs and results into rows: pure functions, so that `record.py` contains only the transactions."""

import hashlib
import json
from datetime import datetime
from statistics import fmean

from orchestrator.store.schema.base import Base, Row
from orchestrator.store.schema.result_tables import (
    AttackResultRecord,
    CleanResultRecord,
    CorruptionResultRecord,
    CraftedExamplesRecord,
    DiagnosisRecord,
    ShardResultRecord,
    SurfaceRecord,
    TrainedModelRecord,
)
from workers.artifacts.outcomes import (
    CraftOutcome,
    DiagnosisOutcome,
    Environment,
    FlagsOutcome,
    Outcome,
    Result,
    SurfaceOutcome,
    TrainOutcome,
)
from workers.artifacts.per_example import as_bytes
from workers.components.facts import DatasetInfo
from workers.registry import DATASETS
from workers.spec.attack import AFTER, AttackSettings
from workers.spec.component import NO_EXTRA
from workers.spec.fields import spelled
from workers.spec.job import Job
from workers.spec.keys import KEY_VERSION
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import AttackSpec, CorruptSpec, CraftSpec, DiagnoseSpec, EvaluateSpec, SurfaceSpec, TrainSpec

_MODEL_COLUMNS = frozenset(column.name for column in TrainedModelRecord.__table__.columns)


def job_row(job: Job) -> Row:
    plugins = [plugin.model_dump() for plugin in job.plugins]
    known = {"seed_key": job.seed_key, "digests": job.digests, "plugins": plugins}
    return {"key": job.key, "key_version": KEY_VERSION, "stage": job.stage, "spec": job.spec.model_dump_json(), "state": "planned", **known}


def parent_rows(job: Job) -> list[Row]:
    return [{"child_key": job.key, "role": role, "parent_key": parent} for role, parent in job.parents.items()]


def environment_row(environment: Environment) -> Row:
    content = environment.model_dump(mode="json")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {"id": hashlib.sha256(text.encode()).hexdigest(), **content}


def outcome_row(job: Job, result: Result, *, environment_id: str, finished_at: datetime) -> tuple[type[Base], Row]:
    """Return the table and the row of a result.

    Raises:
        ValueError: the result is another job's, or of a kind that the job's stage does not have.
    """
    if result.key != job.key:
        raise ValueError(f"result of job {result.key}: is not one of job {job.key}")
    record, told = _told(job, result)
    common = {"job_key": job.key, "environment_id": environment_id, "finished_at": finished_at}
    columns = record.__table__.columns
    return record, common | told | {name: value for name, value in measured(result).items() if name in columns}


def _told(job: Job, result: Result) -> tuple[type[Base], Row]:  # noqa: PLR0911 (one for each stage)
    """The table of a result, and the columns that its job gives."""
    match job.spec, result.outcome:
        case TrainSpec() as train, TrainOutcome() as trained:
            return TrainedModelRecord, _trained_model(train, trained)
        case EvaluateSpec() as evaluate, FlagsOutcome():
            return CleanResultRecord, _evaluation(job, evaluate)
        case AttackSpec() as attack, FlagsOutcome() if attack.evaluation.shard is not None:
            return ShardResultRecord, _shard(job, attack)
        case AttackSpec() as attack, FlagsOutcome():
            return AttackResultRecord, _evaluation(job, attack) | _attack(job, attack)
        case CraftSpec(), CraftOutcome():
            return CraftedExamplesRecord, {"model_key": job.parents["model"]}
        case DiagnoseSpec() as diagnose, DiagnosisOutcome() as found:
            return DiagnosisRecord, _diagnosis(job, diagnose, found)
        case SurfaceSpec() as surface, SurfaceOutcome():
            return SurfaceRecord, _surface(job, surface)
        case CorruptSpec() as corrupt, FlagsOutcome():
            return CorruptionResultRecord, _corruption(job, corrupt)
    raise ValueError(f"outcome '{result.outcome.kind}' of job {job.key}: not one of stage {job.stage}")


def measured(result: Result) -> Row:
    """The columns that a result gives without its job, of whichever table has them."""
    return {"seconds": result.seconds, **_outcome(result.outcome)}


def _outcome(outcome: Outcome) -> Row:
    match outcome:
        case TrainOutcome():
            return {"n_parameters": outcome.n_parameters, "history": [epoch.model_dump(exclude_none=True) for epoch in outcome.history]}
        case FlagsOutcome():
            return _counted(outcome)
        case CraftOutcome():
            return outcome.model_dump(include={"n_examples", "max_perturbation"})
        case DiagnosisOutcome():
            return outcome.model_dump(include={"n_examples", "draws", "zero_gradients", "nonfinite_gradients"})
        case SurfaceOutcome():
            return outcome.model_dump(include={"label", "clean_loss", "least_loss", "greatest_loss"})


def _trained_model(spec: TrainSpec, outcome: TrainOutcome) -> Row:
    model = spec.model.model_dump(mode="json", exclude={"settings", "name"})
    return {
        **{name: value for name, value in model.items() if name in _MODEL_COLUMNS},
        **_ranks(spec.model),
        **_model_facts(spec, outcome.data_info),
        "model_options": {name: value for name, value in model.items() if name not in _MODEL_COLUMNS},
        "dataset": spec.data.name,
        "train_examples": spec.data.train_examples,
        "validation_examples": spec.data.validation_examples,
        "data_settings": spec.data.own | ({name: getattr(spec.data, name) for name in NO_EXTRA} if spec.data.extra else {}),
        "model": spec.model.name,
        "model_settings": spec.model.own,
        "rank": outcome.ranks if spec.model.tensorized else None,
        "training": {name: value for name, value in spec.training.flat.items() if name != "recipe"} if spec.training.epochs else {},
        "adversarial_training": spec.training.adversarial_training,
        "defence": spec.defence.name,
        "defence_settings": spec.defence.own or None,
        "seed": spec.seed,
        "epochs": spec.training.epochs,
        "until": spec.until,
        "resumed_key": outcome.resumed,
    }


def _ranks(model: ModelSpec) -> Row:
    """The rank fractions as columns; those of single layers are accompanied by their mean, by which nets are sorted and drawn."""
    by_layer = model.rank_fractions
    fraction = fmean(by_layer.values()) if by_layer else model.rank_fraction
    return {"rank_fraction": fraction if model.tensorized else None, "rank_fractions": dict(by_layer) if by_layer else None}


def _model_facts(spec: TrainSpec, read: DatasetInfo | None) -> Row:
    """The facts of a model's components; those of components that are not installed here are unknown, but for what was read of the data."""
    facts: Row = {"modality": None, "n_classes": None, "low": None, "high": None, "randomised": None}
    data = DATASETS.find(spec.data.name)
    if (info := data.facts.info if read is None and data is not None else read) is not None:
        facts |= {"modality": info.modality, "n_classes": info.n_classes, "low": info.low, "high": info.high}
    if spec.model.is_installed and spec.defence.is_installed:
        facts["randomised"] = spec.randomised
    return facts


def _corruption(job: Job, spec: CorruptSpec) -> Row:
    corruption = {"corruption": spec.corruption.name, "settings": spec.corruption.own}
    evaluation = {name: value for name, value in _evaluation(job, spec).items() if name in CorruptionResultRecord.__table__.columns}
    return evaluation | corruption | {"severity": spec.corruption.severity, "seed": spec.corruption.seed}


def _evaluation(job: Job, spec: EvaluateSpec | AttackSpec | CorruptSpec) -> Row:
    return {
        "model_key": job.parents["model"],
        "repeat": spec.repeat,
        "split": spec.evaluation.split,
        "batch_size": spec.evaluation.batch_size,
        "example_order": spec.evaluation.resolved_order,
    }


def _counted(outcome: FlagsOutcome) -> Row:
    """The flags; of attacked examples also their metrics, the sizes of their perturbations, and what the attack cost."""
    spent = {"forward": None, "backward": None, "queries": None} if outcome.spent is None else outcome.spent.model_dump()
    return {
        "n_examples": outcome.n_examples,
        "draws": outcome.draws,
        "n_correct": outcome.n_correct,
        "flags": outcome.packed(),
        "classes": None if outcome.examples is None else as_bytes(outcome.examples.classes),
        "margins": None if outcome.examples is None else as_bytes(outcome.examples.margins),
        "metrics": outcome.metrics,
        "sizes": None if outcome.examples is None else as_bytes(outcome.examples.sizes),
        "forward_passes": spent["forward"],
        "backward_passes": spent["backward"],
        "queries": spent["queries"],
    }


def _shard(job: Job, spec: AttackSpec) -> Row:
    assert spec.evaluation.shard is not None  # noqa: S101 (`outcome_row` looked)
    of_attack = {"attack": _attack_columns(spec.attack), "after": spec.after, "knowledge": spec.knowledge}
    place = {"source_key": job.parents.get("source"), "first": spec.evaluation.shard.first, "of_examples": spec.evaluation.shard.of}
    return _evaluation(job, spec) | of_attack | place


def _diagnosis(job: Job, spec: DiagnoseSpec, outcome: DiagnosisOutcome) -> Row:
    return {
        "model_key": job.parents["model"],
        "epsilon": spec.diagnosis.epsilon,
        "epsilon_literal": spelled(spec.diagnosis.epsilon),
        "probes": [{**probe.model_dump(mode="json"), "attack": _attack_columns(probe.attack)} for probe in outcome.probes],
    }


def _attack(job: Job, spec: AttackSpec) -> Row:
    made = {"knowledge": spec.knowledge, "source_key": job.parents.get("source")}
    row = {**made, **_attack_columns(spec.attack)}
    return row | {"settings": row["settings"] | {AFTER: spec.after}} if spec.after else row


def _attack_columns(attack: AttackSettings) -> Row:
    """An attack's settings, and its facts; those of one that is not installed here are unknown."""
    facts: Row = dict.fromkeys(("loss", "random_start", "takes_gradients", "selects", "one_step"))
    if attack.is_installed:
        facts = {name: getattr(attack.facts, name) for name in facts} | {"loss": attack.loss}
    fields = attack.model_dump(exclude={"name", "settings"}) | {"epsilon_literal": spelled(attack.epsilon)}
    return {"attack": attack.name, **fields, "settings": attack.own, **facts}


def _surface(job: Job, spec: SurfaceSpec) -> Row:
    model = job.parents["model"]
    return {"model_key": model, "source_key": job.parents.get("direction", model), **spec.surface.model_dump()}
