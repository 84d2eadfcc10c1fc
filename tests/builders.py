"""Small jobs and results for tests: each function's defaults make a legal one, its arguments are what tests vary."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.artifacts.outcomes import (
    CraftOutcome,
    DiagnosisOutcome,
    Environment,
    EpochRecord,
    FlagsOutcome,
    ProbeOutcome,
    Result,
    SurfaceOutcome,
    TrainOutcome,
)
from workers.artifacts.per_example import PerExample, Spent
from workers.registry import ATTACKS
from workers.spec.attack import AttackSettings, settled
from workers.spec.component import DataSpec, DefenceSpec
from workers.spec.diagnosis import DiagnosisSettings, probes
from workers.spec.fields import ExampleOrder, Knowledge
from workers.spec.job import Job
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import AttackSpec, CraftSpec, DiagnoseSpec, EvaluateSpec, EvaluationSpec, Shard, SurfaceSpec, TrainSpec
from workers.spec.surface import SurfaceSettings
from workers.spec.training import TrainingSpec

ENVIRONMENT = Environment(host="localhost", device="cpu", threads=1, git_revision=None, versions={"torch": "2.11.0"})
RANKS = {"layer1.0.conv1": [4, 4, 3, 3], "layer1.0.conv2": [4, 2, 3, 3]}


def pretrain_job(
    *,
    dataset: str = "digits",
    width: int = 4,
    tensorized: bool = True,
    rank_fraction: float = 0.5,
    theta: float = 1.0,
    binary: bool = False,
    epochs: int = 1,
    seed: int = 0,
    **training_settings: Any,
) -> Job:
    given = {"width": width, "tensorized": tensorized, "rank_fraction": rank_fraction, "theta": theta, "binary": binary}
    model = ModelSpec.model_validate(given)
    training = TrainingSpec(epochs=epochs, **training_settings)
    return Job(spec=TrainSpec(stage="pretrain", data=DataSpec(name=dataset), model=model, training=training, seed=seed))


def fine_tune_job(parent: Job, *, theta: float = 0.8, epochs: int = 1) -> Job:
    """The parent's model with a sketch, trained on from the parent's weights."""
    assert isinstance(parent.spec, TrainSpec)
    model = parent.spec.model.model_copy(update={"theta": theta})
    spec = parent.spec.model_copy(update={"stage": "fine_tune", "model": model, "training": TrainingSpec(epochs=epochs)})
    return Job.of(spec, weights=parent)


def defend_job(parent: Job, name: str = "random_resize_pad", **settings: float) -> Job:
    """The parent's model with a defence put around it."""
    assert isinstance(parent.spec, TrainSpec)
    spec = {**dict(parent.spec), "stage": "defend", "defence": DefenceSpec.model_validate({"name": name, **settings})}
    return Job.of(TrainSpec(**spec), weights=parent)


def evaluate_job(
    model: Job, *, repeat: int = 0, examples: int | None = 16, batch_size: int = 8, draws: int = 1, order: ExampleOrder = "balanced"
) -> Job:
    evaluation = EvaluationSpec(examples=examples, order=order, batch_size=batch_size, draws=draws)
    return Job.of(EvaluateSpec(evaluation=evaluation, repeat=repeat), model=model)


def attack_settings(
    *,
    name: str = "fgsm",
    epsilon: float = 8 / 255,
    epsilon_literal: str = "8/255",
    steps: int = 1,
    **more: object,
) -> AttackSettings:
    """An attack whose steps reach epsilon, with `more` settings; what its name settles is as it must be."""
    own = ATTACKS[name].settings.model_fields
    stepping = {key: value for key, value in {"steps": steps, "abs_stepsize": epsilon / steps}.items() if key in own}
    given: dict[str, Any] = {"name": name, "epsilon": epsilon, "epsilon_literal": epsilon_literal, **stepping, **more}
    return AttackSettings.model_validate(given | settled(AttackSettings.model_construct(**given)))


def craft_job(model: Job, *, attack: AttackSettings | None = None, examples: int = 16, batch_size: int = 8) -> Job:
    evaluation = EvaluationSpec(examples=examples, batch_size=batch_size)
    return Job.of(CraftSpec(attack=attack or attack_settings(), evaluation=evaluation), model=model)


def attack_job(  # noqa: PLR0913 (each is what tests vary)
    model: Job,
    *,
    attack: AttackSettings | None = None,
    crafted: Job | None = None,
    knowledge: Knowledge | None = None,
    repeat: int = 0,
    examples: int | None = 16,
    batch_size: int = 8,
    draws: int = 1,
    order: ExampleOrder = "balanced",
) -> Job:
    """A randomized attack, or an omniscient one when `crafted` is given, unless `knowledge` says otherwise."""
    knowledge = knowledge or ("omniscient" if crafted else "randomized")
    evaluation = EvaluationSpec(examples=examples, order=order, batch_size=batch_size, draws=draws)
    spec = AttackSpec(attack=attack or attack_settings(), knowledge=knowledge, evaluation=evaluation, repeat=repeat)
    return Job.of(spec, model=model, **({"examples": crafted} if crafted else {}))


def shard_job(model: Job) -> Job:
    """A randomized attack on the first half of the examples."""
    evaluation = EvaluationSpec(examples=16, batch_size=8, shard=Shard(first=0, of=32))
    return Job.of(AttackSpec(attack=attack_settings(), knowledge="randomized", evaluation=evaluation, repeat=0), model=model)


def transfer_job(
    model: Job, *, source: Job, crafted: Job, attack: AttackSettings | None = None, repeat: int = 0, examples: int = 16, batch_size: int = 8
) -> Job:
    """An attack on the model with the examples that were crafted on the source."""
    evaluation = EvaluationSpec(examples=examples, batch_size=batch_size)
    spec = AttackSpec(attack=attack or attack_settings(), knowledge="transfer", evaluation=evaluation, repeat=repeat)
    return Job.of(spec, model=model, examples=crafted, source=source)


def surface_job(model: Job, *, source: Job | None = None, **settings: object) -> Job:
    """A loss surface in the direction of `source`, or in the model's own one."""
    fields = {"direction": "theta_one" if source else "own", "resolution": 5, **settings}
    return Job.of(SurfaceSpec(surface=SurfaceSettings(**fields)), model=model, **({"direction": source} if source else {}))


def train_result(job: Job, *, ranks: dict[str, list[int]] | None = None, environment: Environment = ENVIRONMENT) -> Result:
    history = [EpochRecord(epoch=0, loss=2.5, accuracy=0.25, learning_rate=0.1)]
    outcome = TrainOutcome(history=history, ranks=RANKS if ranks is None else ranks, n_parameters=1234)
    return Result(key=job.key, seconds=1.5, environment=environment, outcome=outcome)


def defend_result(job: Job) -> Result:
    outcome = TrainOutcome(history=[], ranks=RANKS, n_parameters=1234)
    return Result(key=job.key, seconds=0.1, environment=ENVIRONMENT, outcome=outcome)


def flags_result(
    job: Job,
    correct: Sequence[bool] | NDArray[np.bool_] | None = None,
    *,
    metrics: dict[str, float | None] | None = None,
    examples: PerExample | None = None,
    spent: Spent | None = None,
) -> Result:
    """The result of an `evaluate` or `attack` job, from flags (examples,) or (draws, examples); by default every second of 16 examples
    is right."""
    flags = [True, False] * 8 if correct is None else correct
    return Result(
        key=job.key, seconds=0.5, environment=ENVIRONMENT, outcome=FlagsOutcome.pack(flags, metrics=metrics, examples=examples, spent=spent)
    )


def craft_result(job: Job, *, n_examples: int = 16) -> Result:
    return Result(key=job.key, seconds=0.5, environment=ENVIRONMENT, outcome=CraftOutcome(n_examples=n_examples, max_perturbation=8 / 255))


THOROUGH = {"examples": 100, "depth": "full", "queries": 1000}
"""Settings of the smallest diagnosis by which a model can be sound."""


def diagnose_job(model: Job, *, examples: int = 16, **settings: object) -> Job:
    """A diagnosis at 8/255, of a deterministic model unless `draws` says otherwise."""
    still = {"eot_samples": 1, "selection_draws": 1, "draws": 1}
    given = {"examples": examples, "batch_size": 8, "epsilon": 8 / 255, "epsilon_literal": "8/255", **still, **settings}
    return Job.of(DiagnoseSpec(diagnosis=DiagnosisSettings(**given)), model=model)


def diagnosis_result(job: Job, *, zero_gradients: float = 0.0, right: Mapping[str, float] | None = None, failure: str = "") -> Result:
    """The result of a diagnosis: the share of examples left right by each probe (0 where it is not named), always the first ones, or of
    all of them the same failure."""
    assert isinstance(job.spec, DiagnoseSpec)
    settings, shares = job.spec.diagnosis, right or {}
    tried = []
    for probe in probes(settings, half_range=0.5, randomised=settings.draws > 1):
        flags = np.tile(np.arange(settings.examples) < round(shares.get(probe.name, 0.0) * settings.examples), (settings.draws, 1))
        packed = FlagsOutcome.pack(flags)
        right_ones = {"draws": packed.draws, "n_correct": packed.n_correct, "flags": packed.flags}
        found = {"failure": failure} if failure else right_ones
        tried.append(ProbeOutcome(name=probe.name, attack=probe.attack, knowledge=probe.knowledge, **found))
    outcome = DiagnosisOutcome(
        n_examples=settings.examples, draws=settings.draws, zero_gradients=zero_gradients, nonfinite_gradients=0.0, probes=tried
    )
    return Result(key=job.key, seconds=0.5, environment=ENVIRONMENT, outcome=outcome)


def surface_result(job: Job) -> Result:
    outcome = SurfaceOutcome(label=7, clean_loss=0.25, least_loss=0.125, greatest_loss=9.5, l2_norms=(12.0, 15.0), linf_norms=(1.0, 1.0))
    return Result(key=job.key, seconds=0.5, environment=ENVIRONMENT, outcome=outcome)


def result_of(job: Job) -> Result:
    """A result of the kind that the job's stage has."""
    if job.stage == "diagnose":
        return diagnosis_result(job)
    if job.stage == "surface":
        return surface_result(job)
    if job.stage == "defend":
        return defend_result(job)
    if job.stage in ("pretrain", "fine_tune"):
        return train_result(job)
    return craft_result(job) if job.stage == "craft" else flags_result(job)


def small_plan(*, theta: float = 0.8, repeats: int = 2) -> list[Job]:
    """One sketched model, fine-tuned from a full one, with everything measured of it; parents come before their children."""
    full = pretrain_job()
    model = fine_tune_job(full, theta=theta)
    crafted = craft_job(model)
    measured = [
        job
        for repeat in range(repeats)
        for job in (
            evaluate_job(model, repeat=repeat),
            attack_job(model, repeat=repeat),
            attack_job(model, crafted=crafted, repeat=repeat),
        )
    ]
    return [full, model, crafted, *measured]
