"""Conversion of specs and results into rows: pure functions, so that `record.py` contains only the transactions."""

import hashlib
import json
from datetime import datetime
from statistics import fmean
from typing import Any

from orchestrator.store.schema.base import Base
from orchestrator.store.schema.result_tables import (
    AttackResultRecord,
    CleanResultRecord,
    CraftedExamplesRecord,
    DiagnosisRecord,
    SurfaceRecord,
    TrainedModelRecord,
)
from workers.artifacts.results import CraftOutcome, DiagnosisOutcome, Environment, FlagsOutcome, Result, SurfaceOutcome, TrainOutcome
from workers.spec.job import AttackSpec, CraftSpec, DiagnoseSpec, EvaluateSpec, Job, ModelSpec, SurfaceSpec, TrainSpec
from workers.spec.keys import KEY_VERSION

Row = dict[str, Any]


def job_row(job: Job) -> Row:
    return {"key": job.key, "key_version": KEY_VERSION, "stage": job.stage, "spec": job.spec.model_dump_json(), "state": "planned"}


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
    common = {"job_key": job.key, "seconds": result.seconds, "environment_id": environment_id, "finished_at": finished_at}
    match job.spec, result.outcome:
        case TrainSpec() as train, TrainOutcome() as trained:
            return TrainedModelRecord, common | _trained_model(train, trained)
        case EvaluateSpec() as evaluate, FlagsOutcome() as flags:
            return CleanResultRecord, common | _flags(job, evaluate, flags)
        case AttackSpec() as attack, FlagsOutcome() as flags:
            return AttackResultRecord, common | _flags(job, attack, flags) | _attack(job, attack) | {"snr_db": flags.snr_db}
        case CraftSpec(), CraftOutcome() as crafted:
            sizes = {"n_examples": crafted.n_examples, "max_perturbation": crafted.max_perturbation}
            return CraftedExamplesRecord, common | {"model_key": job.parents["model"]} | sizes
        case DiagnoseSpec() as diagnose, DiagnosisOutcome() as found:
            return DiagnosisRecord, common | _diagnosis(job, diagnose, found)
        case SurfaceSpec() as surface, SurfaceOutcome() as explored:
            return SurfaceRecord, common | _surface(job, surface, explored)
    raise ValueError(f"outcome '{result.outcome.kind}' of job {job.key}: not one of stage {job.stage}")


def _trained_model(spec: TrainSpec, outcome: TrainOutcome) -> Row:
    model = spec.model.model_dump(
        include={"width", "tensorized", "theta", "rank_kind", "sketch_modes", "rescale", "binary"},
    )
    return {
        **model,
        **_ranks(spec.model),
        "dataset": spec.data.name,
        "train_examples": spec.data.train_examples,
        "model": spec.model.name,
        "rank": outcome.ranks if spec.model.tensorized else None,
        "adversarial_training": spec.training.adversarial_training,
        "defence": spec.defence.name,
        "defence_settings": spec.defence.settings or None,
        "seed": spec.seed,
        "epochs": spec.training.epochs,
        "n_parameters": outcome.n_parameters,
        "history": [epoch.model_dump() for epoch in outcome.history],
        "until": spec.until,
        "resumed_key": outcome.resumed,
    }


def _ranks(model: ModelSpec) -> Row:
    """Return the rank fractions as columns; those of the stages together with their mean, by which nets are sorted and drawn."""
    by_stage = model.stage_rank_fractions
    fraction = fmean(by_stage) if by_stage else model.rank_fraction
    return {"rank_fraction": fraction if model.tensorized else None, "stage_rank_fractions": list(by_stage) if by_stage else None}


def _flags(job: Job, spec: EvaluateSpec | AttackSpec, outcome: FlagsOutcome) -> Row:
    return {
        "model_key": job.parents["model"],
        "repeat": spec.repeat,
        "n_examples": outcome.n_examples,
        "draws": outcome.draws,
        "batch_size": spec.evaluation.batch_size,
        "n_correct": outcome.n_correct,
        "flags": outcome.packed(),
    }


def _diagnosis(job: Job, spec: DiagnoseSpec, outcome: DiagnosisOutcome) -> Row:
    return {
        "model_key": job.parents["model"],
        "epsilon": spec.diagnosis.epsilon,
        "epsilon_literal": spec.diagnosis.epsilon_literal,
        "probes": [probe.model_dump(mode="json") for probe in outcome.probes],
        **outcome.model_dump(include={"n_examples", "draws", "zero_gradients", "nonfinite_gradients"}),
    }


def _attack(job: Job, spec: AttackSpec) -> Row:
    made = {"knowledge": spec.knowledge, "source_key": job.parents.get("source")}
    return {"attack": spec.attack.name, **made, **spec.attack.model_dump(exclude={"name"})}


def _surface(job: Job, spec: SurfaceSpec, outcome: SurfaceOutcome) -> Row:
    model = job.parents["model"]
    losses = outcome.model_dump(include={"label", "clean_loss", "least_loss", "greatest_loss"})
    return {"model_key": model, "source_key": job.parents.get("direction", model), **spec.surface.model_dump(), **losses}
