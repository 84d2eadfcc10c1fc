"""Computation of each stage of a job: from its parents' artifacts to an outcome and the files to keep."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

from workers.artifacts.artifacts import KEPT_FILE
from workers.artifacts.outcomes import CraftOutcome, DiagnosisOutcome, FlagsOutcome, SurfaceOutcome, TrainOutcome
from workers.artifacts.per_example import PerExample, Spent, packed_numbers
from workers.data.loading.device_split import DeviceSplit
from workers.errors import UserError
from workers.measure.cascade import among_all, numbers_among_all, one_after_the_other, worst_attack, worst_numbers
from workers.measure.corrupted import corrupter
from workers.measure.diagnose import diagnose
from workers.measure.evaluate import (
    Evaluated,
    Perturb,
    attacker,
    craft,
    evaluated,
    replayer,
)
from workers.measure.kept_examples import kept_examples
from workers.measure.ledger import Ledger
from workers.measure.loss_surface import drawn_gradient, explore, full_gradient, plane
from workers.measure.replayed_examples import require_fitting_examples
from workers.measure.surrogate import EXAMPLES, train_surrogate
from workers.models.network import Network
from workers.progress import Report
from workers.runtime.job_context import JobContext
from workers.runtime.training_stages import take_weights, train_stage
from workers.spec.diagnosis import DiagnosisSettings
from workers.spec.fields import CRAFTED
from workers.spec.job import shard_roles
from workers.spec.keys import derive_seed
from workers.spec.stage_specs import AttackSpec, CorruptSpec, CraftSpec, DiagnoseSpec, EvaluateSpec, EvaluationSpec, SurfaceSpec, TrainSpec

_EXAMPLES, _SURFACE = "examples.safetensors", "surface.safetensors"
Computed = tuple[TrainOutcome | FlagsOutcome | CraftOutcome | DiagnosisOutcome | SurfaceOutcome, dict[str, bytes]]


def compute(context: JobContext, report: Report) -> Computed:  # noqa: PLR0911 (one for each stage)
    """Return the job's outcome, and the content of its files by name."""
    match context.job.spec:
        case TrainSpec() as spec:
            return train_stage(context, spec, report) if spec.stage in ("pretrain", "fine_tune") else take_weights(context, spec)
        case EvaluateSpec() as spec:
            return _evaluate(context, spec, report)
        case CraftSpec() as spec:
            return _craft(context, spec, report)
        case AttackSpec() as spec:
            return _attack(context, spec, report)
        case DiagnoseSpec() as spec:
            return _diagnose(context, spec)
        case SurfaceSpec() as spec:
            return _surface(context, spec)
        case CorruptSpec() as spec:
            return _evaluate(context, spec, report, perturb=corrupter(spec.corruption))


def _evaluate(context: JobContext, spec: EvaluateSpec | CorruptSpec, report: Report, *, perturb: Perturb | None = None) -> Computed:
    network, split = context.trained(spec.evaluation)
    loop, size = context.loop(network, report), spec.evaluation.batch_size
    found = evaluated(network, split, batch_size=size, draws=spec.evaluation.draws, perturb=perturb, loop=loop)
    return FlagsOutcome.pack(found.correct, examples=found.examples), {}


def _craft(context: JobContext, spec: CraftSpec, report: Report) -> Computed:
    network, split = context.trained(spec.evaluation)
    start, memory = context.generator("start"), context.memory(spec.evaluation)
    loop, ledger = context.loop(network, report, start=start), Ledger()
    size = spec.evaluation.batch_size
    examples, distance = craft(network, split, spec.attack, batch_size=size, generator=start, memory=memory, ledger=ledger, loop=loop)
    sizes = "" if ledger.sizes is None else packed_numbers(ledger.sizes.numpy())
    outcome = CraftOutcome(n_examples=len(split), max_perturbation=distance, sizes=sizes, spent=ledger.spent)
    return outcome, {_EXAMPLES: save({"examples": examples})}


def _attack(context: JobContext, spec: AttackSpec, report: Report) -> Computed:
    if shards := shard_roles(context.job.parents):
        return one_after_the_other([context.outcome(role) for role in shards], examples=spec.evaluation.examples), {}
    if spec.attack.facts.suite and spec.knowledge not in CRAFTED:
        return _joined([context.outcome(role) for role in context.job.parents if role != "model"]), {}
    network, split = context.trained(spec.evaluation)
    start, ledger = context.generator("start"), Ledger(spec.attack.norm)
    if spec.knowledge in CRAFTED:
        perturb = replayer(_crafted(context, spec), epsilon=spec.attack.epsilon, bounds=network.bounds, norm=spec.attack.norm)
    else:
        perturb = attacker(network, spec.attack, generator=start, memory=context.memory(spec.evaluation), ledger=ledger)
    before = context.outcome("survivors") if "survivors" in context.job.parents else None
    left = None if before is None else np.logical_and.reduce(before.correct(), axis=0)
    if before is not None and left is not None and not left.any():
        return FlagsOutcome.pack(left, examples=before.examples), {}
    attacked = split if left is None else split.of(left)
    found = evaluated(
        network,
        attacked,
        batch_size=spec.evaluation.batch_size,
        draws=spec.evaluation.draws,
        perturb=perturb,
        metrics=context.metrics(spec.evaluation) if left is None else (),
        ledger=ledger,
        keep=spec.keep_examples,
        loop=context.loop(network, report, start=start),
    )
    kept = _kept(context, spec, network, attacked, found, left)
    if before is not None and left is not None:
        numbers = numbers_among_all(found.examples, before.examples, left)
        return FlagsOutcome.pack(among_all(found.correct, left), metrics=found.metrics, examples=numbers, spent=ledger.spent), kept
    examples, spent = (found.examples, ledger.spent) if spec.knowledge not in CRAFTED else _of_crafting(context, found.examples)
    return FlagsOutcome.pack(found.correct, metrics=found.metrics, examples=examples, spent=spent), kept


def _kept(
    context: JobContext, spec: AttackSpec, network: Network, attacked: DeviceSplit, found: Evaluated, left: NDArray[np.bool_] | None
) -> dict[str, bytes]:
    """Return the file of the examples that the attack keeps, if it keeps any; of those that it was `left`, if others came before it."""
    if found.kept is None:
        return {}
    places = torch.arange(len(attacked)) if left is None else torch.from_numpy(left.nonzero()[0])
    evaluation, seed = spec.evaluation, context.seed("kept")
    size, draws, places = evaluation.batch_size, evaluation.draws, places[: len(found.kept)].clone()
    return {KEPT_FILE: save(kept_examples(network, attacked, found.kept, places=places, batch_size=size, draws=draws, seed=seed))}


def _joined(parts: Sequence[FlagsOutcome]) -> FlagsOutcome:
    """Return the outcome of a suite from those of its attacks: of its last one, which was given what the others had left, or of all."""
    correct = [part.correct() for part in parts]
    return FlagsOutcome.pack(worst_attack(correct), examples=worst_numbers(correct, [part.examples for part in parts]))


def _of_crafting(context: JobContext, examples: PerExample) -> tuple[PerExample, Spent | None]:
    """Return the numbers of replayed examples with a minimum-norm attack's sizes, and what they cost to make."""
    outcome = context.artifacts.result(context.parent("examples")).outcome
    assert isinstance(outcome, CraftOutcome)  # noqa: S101 (`require_fitting_examples` has seen to it)
    return examples.model_copy(update={"sizes": outcome.sizes or examples.sizes}), outcome.spent


def _crafted(context: JobContext, spec: AttackSpec) -> Tensor:
    """Return the examples that the attack replays, (examples, *shape), on the CPU."""
    key = context.parent("examples")
    require_fitting_examples(context.artifacts, spec, model=context.parent("model"), examples=key, source=_source(context, spec))
    return load(context.artifacts.read(key, _EXAMPLES))["examples"]


def _source(context: JobContext, spec: AttackSpec) -> str:
    """Return the key of the model on which the attack's examples were made."""
    model = context.parent("model")
    if spec.knowledge != "transfer":
        return model
    if context.parent("source") == model:
        raise UserError(
            f"job {context.job.key}: knowledge=transfer: its source is the attacked model itself, which is knowledge=omniscient"
        )
    return context.parent("source")


def _diagnose(context: JobContext, spec: DiagnoseSpec) -> Computed:
    network, split = context.trained(EvaluationSpec(examples=spec.diagnosis.examples))
    return diagnose(network, split, spec.diagnosis, seeds=context.seed, surrogate=lambda: _surrogate(context, spec.diagnosis)), {}


def _surrogate(context: JobContext, diagnosis: DiagnosisSettings) -> Network:
    """Return a net whose adversarial examples may fool the diagnosed model: the one that it was made of (without its defence, sketch or
    Tucker form), else one that is trained on its answers."""
    trained = context.artifacts.job(context.parent("model"))
    if "weights" in trained.parents:
        return context.network(trained.parents["weights"])[0]
    network, data = context.network(trained.key)
    try:
        examples = context.split(data.unlimited, "train", EXAMPLES, trained)
    except UserError:  # there are fewer
        examples = context.split(data.unlimited, "train", None, trained)
    return train_surrogate(network, examples, epsilon=diagnosis.epsilon, seed=context.seed("surrogate"))


def _surface(context: JobContext, spec: SurfaceSpec) -> Computed:
    settings = spec.surface
    network, split = context.trained(EvaluationSpec(examples=settings.example + 1))
    example, label = split.batch(slice(settings.example, None))
    seeds = [context.seed(f"draw {draw}") for draw in range(settings.draws)]
    role = "direction" if settings.direction == "theta_one" else "model"
    source = context.parent(role)
    if settings.direction == "theta_one":
        gradient = full_gradient(context.network(source)[0], example, label)
    else:
        gradient = drawn_gradient(network, example, label, seeds=seeds)
    # The y axis depends on the net that gives the x axis, and on nothing else: every theta has the same plane.
    generator = torch.Generator().manual_seed(derive_seed(context.parent_seed(role), f"plane {settings.example}"))
    directions = plane(gradient, norm=settings.norm, generator=generator)
    found = explore(network, example, label, directions=directions, settings=settings, seeds=seeds)
    return found.outcome(), {_SURFACE: save(found.tensors())}
