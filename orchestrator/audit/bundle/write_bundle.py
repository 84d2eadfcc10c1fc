"""Making of a bundle from the artifacts of an audit's jobs."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from orchestrator.audit.bundle.archive import archived
from orchestrator.audit.bundle.contents import (
    EXAMPLES,
    FORMAT_VERSION,
    MODEL,
    BundledAttack,
    Claim,
    Contents,
    Weights,
    clean_interval,
    robust_interval,
)
from orchestrator.naming.names import job_name
from orchestrator.paths import write_atomically
from orchestrator.report.examples.stored import EXAMPLES_FILE, clean_examples
from workers.artifacts.artifacts import KEPT_FILE, MODEL_FILE, Artifacts
from workers.artifacts.outcomes import Environment, FlagsOutcome, TrainOutcome
from workers.components.facts import DatasetInfo
from workers.data.loading import source
from workers.data.loading.remote import DataRoot
from workers.errors import ArtifactError, UserError
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, EvaluateSpec, TrainSpec
from workers.weights.digest import of_body

BundledVerdict = tuple[str, Sequence[str]]
"""A verdict, and the reasons for it."""


def write_bundle(file: Path, jobs: Sequence[Job], artifacts: Artifacts, *, data_root: DataRoot, verdict: BundledVerdict | None) -> Claim:
    """Write the bundle of a finished audit, whole or not at all; return what it claims.

    Args:
        file: to write; one that is there is replaced.
        jobs: of the audit, of one model, of which those on the test split count; every attack has kept what it made of the examples.
        artifacts: of the jobs.
        data_root: of the data set.
        verdict: on the model.

    Raises:
        UserError: a job is not done, or an attack has not kept its examples; or the file cannot be written.
        ArtifactError: files of jobs are missing or damaged.
        DataError: the data set's files are not there.
    """
    measured = [job for job in jobs if isinstance(job.spec, EvaluateSpec | AttackSpec) and job.spec.evaluation.split == "test"]
    finished = artifacts.finished([job.key for job in measured])
    if missing := [job for job in measured if job.key not in finished]:
        raise UserError(f"bundle {file}: {len(missing)} jobs of the audit have no result, {job_name(missing[0])} among them")
    files: dict[str, bytes] = {}
    attacks = [_attack(job, artifacts, files) for job in measured if isinstance(job.spec, AttackSpec)]
    clean = [_outcome(job, artifacts) for job in measured if isinstance(job.spec, EvaluateSpec)]
    model = artifacts.job(measured[0].parents["model"])
    info, evaluation = _data_info(model, artifacts), attacks[0].spec.evaluation
    assert isinstance(model.spec, TrainSpec)  # noqa: S101 (`_data_info` has seen to it)
    inputs, labels = clean_examples(model.spec.data, clean[0].n_examples, order=evaluation.resolved_order, root=data_root)
    files |= {EXAMPLES: save({"clean": inputs, "labels": labels}), MODEL: artifacts.read(model.key, MODEL_FILE)}
    contents = Contents(
        format_version=FORMAT_VERSION,
        robustsweep=version("robustsweep"),
        claim=_claim(attacks, clean, randomised=model.spec.randomised, verdict=verdict),
        model=_nameless(model.spec),
        randomised=model.spec.randomised,
        data_info=info,
        code=dict(model.digests),
        weights=Weights(body=of_body(files[MODEL]), adopted=_adopted(model, artifacts)),
        order=evaluation.resolved_order,
        clean=clean,
        attacks=attacks,
        environments=_environments(measured, artifacts),
        files={},
    )
    write_atomically(file, archived(contents.model_dump(mode="json"), files))
    return contents.claim


def _nameless(spec: TrainSpec) -> TrainSpec:
    """Return the spec without the place of its weights, which is one of this machine."""
    return spec.model_copy(update={"model": spec.model.model_copy(update={"weights": None})})


def _outcome(job: Job, artifacts: Artifacts) -> FlagsOutcome:
    outcome = artifacts.result(job.key).outcome
    if not isinstance(outcome, FlagsOutcome):
        raise ArtifactError(f"job {job.key}: its result is none of a {job.stage} job", key=job.key)
    return outcome


def _attack(job: Job, artifacts: Artifacts, files: dict[str, bytes]) -> BundledAttack:
    """Return an attack with its outcome, its examples being added to the files."""
    assert isinstance(job.spec, AttackSpec)  # noqa: S101 (the caller chose it)
    outcome = _outcome(job, artifacts)
    made = _made(job, artifacts)
    if (given := _given(job, artifacts, outcome)) and not job.spec.attack.facts.suite and (made is None or len(made["places"]) < given):
        raise UserError(f"bundle: {job_name(job)} has not kept its examples; audit with --bundle from the beginning")
    name = None
    if made is not None:
        name = f"attack-{len(files) + 1}-{job.spec.attack.name.replace(':', '-').lower()}.safetensors"
        files[name] = save(made)
    return BundledAttack(key=job.key, spec=job.spec, outcome=outcome, file=name)


def _made(job: Job, artifacts: Artifacts) -> dict[str, NDArray[np.generic]] | None:
    """Return what an attack made of the examples that it was given, and their places; None where none are kept."""
    if (crafted := job.parents.get("examples")) is not None:
        examples = np.asarray(load(artifacts.read(crafted, EXAMPLES_FILE))["examples"], dtype=np.float32)
        return {"adversarial": examples, "places": np.arange(len(examples))}
    if KEPT_FILE in artifacts.result(job.key).files:
        kept = load(artifacts.read(job.key, KEPT_FILE))
        return {"adversarial": kept["adversarial"].astype(np.float32), "places": kept["places"].astype(np.int64)}
    return None


def _given(job: Job, artifacts: Artifacts, outcome: FlagsOutcome) -> int:
    """Return the number of examples that an attack was given."""
    if (before := job.parents.get("survivors")) is None:
        return outcome.n_examples
    left = artifacts.result(before).outcome
    return int(left.correct().all(axis=0).sum()) if isinstance(left, FlagsOutcome) else outcome.n_examples


def _data_info(model: Job, artifacts: Artifacts) -> DatasetInfo:
    outcome, spec = artifacts.result(model.key).outcome, artifacts.model(model.key)
    read = outcome.data_info if isinstance(outcome, TrainOutcome) else None
    if (info := read or source(spec.data).info) is None:
        raise ArtifactError(f"job {model.key}: its result has no info of its data set", key=model.key)
    return info


def _adopted(model: Job, artifacts: Artifacts) -> str | None:
    """Return the digest of the weights that a model, or the one that it was made of, was adopted with."""
    while "weights" not in model.digests and "weights" in model.parents:
        model = artifacts.job(model.parents["weights"])
    return model.digests.get("weights")


def _claim(attacks: Sequence[BundledAttack], clean: Sequence[FlagsOutcome], *, randomised: bool, verdict: BundledVerdict | None) -> Claim:
    attack, batch = attacks[0].spec.attack, attacks[0].spec.evaluation.batch_size
    robust = robust_interval(attacks, batch=batch, randomised=randomised)
    return Claim(
        norm=attack.norm,
        epsilon=attack.epsilon,
        epsilon_literal=attack.epsilon_literal,
        n_examples=clean[0].n_examples,
        clean_accuracy=clean_interval(clean, batch=batch)[0],
        robust_accuracy=robust[0],
        ci_low=robust[1],
        ci_high=robust[2],
        verdict=None if verdict is None else verdict[0],
        reasons=[] if verdict is None else list(verdict[1]),
    )


def _environments(jobs: Iterable[Job], artifacts: Artifacts) -> list[Environment]:
    """Return the different environments of jobs, without the names of their machines."""
    found = {}
    for job in jobs:
        environment = artifacts.result(job.key).environment.model_copy(update={"host": ""})
        found[environment.model_dump_json()] = environment
    return [found[text] for text in sorted(found)]
