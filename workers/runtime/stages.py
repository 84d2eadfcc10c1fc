"""Computation of each stage of a job: from its parents' artifacts to an outcome and the files to keep."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

from workers.artifacts.artifacts import KEPT_FILE, MODEL_FILE, Artifacts, JobFolder
from workers.artifacts.per_example import PerExample, Spent, packed_numbers
from workers.artifacts.results import CraftOutcome, DiagnosisOutcome, EpochRecord, FlagsOutcome, SurfaceOutcome, TrainOutcome
from workers.attacks.engine import Memory
from workers.component_registry import Component
from workers.data.loading import Dataset, source
from workers.data.loading.device_split import DeviceSplit
from workers.data.loading.parts import Part, part_of
from workers.data.loading.remote import DataRoot
from workers.data.loading.remote import load as load_data
from workers.data.loading.source import first_places
from workers.errors import ArtifactError, UserError
from workers.facts import DatasetInfo, MetricFacts
from workers.measure.cascade import among_all, numbers_among_all, worst_attack, worst_numbers
from workers.measure.corrupted import corrupter
from workers.measure.diagnose import diagnose
from workers.measure.evaluate import (
    Evaluated,
    Perturb,
    attacker,
    craft,
    evaluated,
    replayer,
    require_logits_before_training,
    require_sketch,
)
from workers.measure.kept_examples import kept_examples
from workers.measure.ledger import Ledger
from workers.measure.loss_surface import drawn_gradient, explore, full_gradient, plane
from workers.measure.replayed_examples import require_fitting_examples
from workers.measure.resumable_loop import SAVE_SECONDS, Course, ProgressFile
from workers.measure.shards import one_after_the_other
from workers.measure.surrogate import EXAMPLES, train_surrogate
from workers.models.network import Network, build, decomposed
from workers.models.network.behaviour import require_sound
from workers.models.network.network import require_matched
from workers.progress import Report
from workers.registry import METRICS
from workers.spec.component import DataSpec
from workers.spec.data_digests import data_digest_name
from workers.spec.diagnosis import DiagnosisSettings
from workers.spec.fields import CRAFTED, ExampleOrder
from workers.spec.job import (
    AttackSpec,
    CorruptSpec,
    CraftSpec,
    DiagnoseSpec,
    EvaluateSpec,
    EvaluationSpec,
    Job,
    SurfaceSpec,
    TrainSpec,
    shard_roles,
)
from workers.spec.keys import derive_seed
from workers.train import Checkpoint, Extra, train
from workers.train.best_weights import BestWeights
from workers.train.group import ALONE, Group
from workers.train.watch import MOST_EXAMPLES
from workers.weights.tensors import from_safetensors, load_into

_MODEL, _BEST, _EXAMPLES, _SURFACE = MODEL_FILE, "best.safetensors", "examples.safetensors", "surface.safetensors"
Computed = tuple[TrainOutcome | FlagsOutcome | CraftOutcome | DiagnosisOutcome | SurfaceOutcome, dict[str, bytes]]


def compute(room: "Room", report: Report) -> Computed:  # noqa: PLR0911 (one for each stage)
    """Return the job's outcome, and the content of its files by name."""
    match room.job.spec:
        case TrainSpec() as spec:
            return _train(room, spec, report) if spec.stage in ("pretrain", "fine_tune") else _take(room, spec)
        case EvaluateSpec() as spec:
            return _evaluate(room, spec, report)
        case CraftSpec() as spec:
            return _craft(room, spec, report)
        case AttackSpec() as spec:
            return _attack(room, spec, report)
        case DiagnoseSpec() as spec:
            return _diagnose(room, spec)
        case SurfaceSpec() as spec:
            return _surface(room, spec)
        case CorruptSpec() as spec:
            return _evaluate(room, spec, report, perturb=corrupter(spec.corruption))


@dataclass(frozen=True)
class Room:
    """Context of a job: its artifacts, data and device, and the processes that share it where it is a training."""

    job: Job
    artifacts: Artifacts
    folder: JobFolder
    data_root: DataRoot
    device: torch.device
    save_seconds: float = SAVE_SECONDS
    examples_per_pass: int | None = None
    group: Group = ALONE

    def seed(self, purpose: str) -> int:
        return derive_seed(self.job.seed_key, purpose)

    @property
    def checkpoint(self) -> Checkpoint:
        """Checkpoint of the training, resumed from this job's folder or from an earlier rung's, where one has a state."""
        earlier = None if self.job.resumes is None else self.artifacts.folder(self.job.resumes.key)
        return Checkpoint(self.folder, owner=self.job.trunk_key, earlier=earlier)

    def parent(self, role: str) -> str:
        """Return the key of the parent in this role."""
        if role not in self.job.parents:
            raise UserError(f"job {self.job.key}: its stage {self.job.stage} needs a parent in role {role!r}, and it has none")
        return self.job.parents[role]

    def parent_seed(self, role: str) -> str:
        """The seed key of the parent in this role."""
        return self.job.parent_seeds.get(role, self.parent(role))

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(self.seed(purpose))

    def trained(self, evaluation: EvaluationSpec) -> tuple[Network, DeviceSplit]:
        """Return the parent model, frozen, in eval mode and freshly seeded for this job, and the examples to evaluate."""
        network, data = self.network(self.parent("model"))
        network.seed(self.seed("sketch"))
        trained = self.artifacts.job(self.parent("model"))
        split = self._examples(data.unlimited, evaluation, trained)
        require_sketch(network, split)
        network.seed(self.seed("sketch"))
        return network, split

    def network(self, key: str) -> tuple[Network, DataSpec]:
        """Return a trained model, frozen and in eval mode, by its job key, and the data that it was trained on."""
        network, data = _load_network(self.artifacts.url, key, self._weights(key), self.device)
        network.examples_at_once = self.examples_per_pass  # for every job that reuses it in this process
        return network, data

    def split(self, data: DataSpec, part: Part, count: int | None, trained: Job, *, order: ExampleOrder = "balanced") -> DeviceSplit:
        """Return the first `count` examples (None: all) of a split, in an order, on the device; of the files that the job `trained` was
        planned with.

        Raises:
            UserError: it was planned without files, though their content is part of its key.
        """
        files = trained.digests.get(data_digest_name(data))
        if files is None and data.facts.files is not None:
            raise UserError(f"{data.name}: job {trained.key} was planned without its files; plan again where they are in the data root")
        return _load_split(data, data.component.digest, part, (count, order), self.data_root, self.device, files)

    def _examples(self, data: DataSpec, evaluation: EvaluationSpec, trained: Job) -> DeviceSplit:
        """Return the examples of an evaluation, on the device; those of a shard out of all, which stay for the next one."""
        if (shard := evaluation.shard) is None:
            return self.split(data, evaluation.split, evaluation.examples, trained, order=evaluation.order)
        whole = self.split(data, evaluation.split, None, trained)
        if shard.of > len(whole):
            raise UserError(f"{data.name}: {shard.of} {evaluation.split} examples asked for: there are {len(whole)}")
        end = shard.first + (evaluation.examples or 0)
        return whole.at(first_places(whole.labels.cpu().numpy(), end, evaluation.order)[shard.first :])

    def info(self, data: DataSpec) -> DatasetInfo:
        """Return what networks must know of the data set of this training, which is read where its component does not state it."""
        found = source(data)
        files = self.job.digests.get(data_digest_name(data))
        return found.info or found.info_of(_load(data.whole, data.component.digest, self.data_root, files))

    def _weights(self, key: str) -> str:
        """Return the SHA-256 of a trained model's weights: a model that was lost and trained again on a GPU may differ in its last bits."""
        return self.artifacts.result(key).files.get(_MODEL, "")

    def outcome(self, role: str) -> FlagsOutcome:
        """Return the outcome of the parent in this role, an evaluation or an attack."""
        outcome = self.artifacts.result(self.parent(role)).outcome
        if not isinstance(outcome, FlagsOutcome):
            raise UserError(f"job {self.job.key}: its parent in role {role!r} has no flags: it is no evaluation and no attack")
        return outcome

    def metrics(self, evaluation: EvaluationSpec) -> tuple[Component[MetricFacts], ...]:
        """Return the metrics of attacked examples: ours that are always measured for the model's modality, and those that the evaluation
        asks for, plugins' that are always measured among them."""
        _, data = self.network(self.parent("model"))
        modality = data.component.facts.modality
        fitting = (found for found in METRICS if modality in found.facts.modalities)
        return tuple(found for found in fitting if (found.facts.always and not found.digest) or found.name in evaluation.metrics)

    def course(self, network: Network, report: Report, **generators: torch.Generator) -> Course:
        """Return the loop over the job's examples, resumed from an earlier attempt; the network's own generator is among its generators."""
        if network.sketch.generator is not None:
            generators["sketch"] = network.sketch.generator
        return Course(self.job.key, generators, report, ProgressFile(self.folder), self.save_seconds)

    def memory(self, evaluation: EvaluationSpec) -> Memory:
        """Return this process's cached clean gradients of the parent model, with full weights, for this evaluation."""
        key = self.parent("model")
        return _clean_gradients((self.artifacts.url, self.data_root, key, self._weights(key), evaluation, self.device))


def _train(room: Room, spec: TrainSpec, report: Report) -> Computed:
    split = room.split(spec.data.unlimited, "train", spec.data.train_examples, room.job)
    info = room.info(spec.data)
    network = _untrained(room, spec, info)
    require_matched(spec.model, network.ranks())
    if network.randomised_body and room.group.size > 1:
        raise UserError(f"model {spec.model.name}: draws in its layers, each process would draw anew; train it with --gpus-per-train 1")
    network.to(room.device).seed(room.seed("sketch"))
    if (component := spec.model.component).place:
        require_logits_before_training(network, split, n_classes=info.n_classes, named=f"model {component.name} ({component.place})")
    if spec.stage == "pretrain" and spec.model.is_foreign:
        require_sound(network, info, name=spec.model.name)
    attack = None if spec.training.adversarial_training == "none" else room.generator("attack")
    order, checkpoint = room.generator("order"), room.checkpoint
    held_out = room.split(spec.data.unlimited, "validation", MOST_EXAMPLES, room.job) if spec.data.validation_examples else None
    best = None if held_out is None else BestWeights(network)
    history = train(
        network,
        split,
        spec.training,
        order=order,
        checkpoint=checkpoint,
        report=report,
        attack=attack,
        until=spec.until,
        validation=held_out,
        best=best,
        extra=_extra(room, spec, info),
        group=room.group,
    )
    return _trained(network, history, info, resumed=checkpoint.resumed, best=best)


def _extra(room: Room, spec: TrainSpec, info: DatasetInfo) -> Extra | None:
    """Return the further examples that the job trains on.

    Raises:
        UserError: they have other classes or another shape.
    """
    if (data := spec.data.extra_data) is None:
        return None
    found = room.info(data)
    if (found.shape, found.n_classes) != (info.shape, info.n_classes):
        theirs, ours = (f"{one.n_classes} classes of {'x'.join(map(str, one.shape))}" for one in (found, info))
        raise UserError(f"data.extra={data.name}: has {theirs}, and {spec.data.name} has {ours}; must be the same")
    return Extra(room.split(data, "train", None, room.job), spec.data.extra_share)


def _take(room: Room, spec: TrainSpec) -> Computed:
    """Return weights unchanged: adopted ones, or the parent's (its last ones, or its best), to which loading this job's model adds the
    defence in the spec."""
    info = room.info(spec.data) if spec.stage == "adopt" else model_info(room.artifacts, room.parent("weights"), spec)
    return _trained(_untrained(room, spec, info), [], info)


def _adopted(room: Room, spec: TrainSpec, info: DatasetInfo) -> Network:
    """Return a network with the weights of the job's digest, once it has been found to behave as measurements suppose."""
    digest = room.job.digests.get("weights")
    if digest is None:
        raise UserError(f"job {room.job.key}: its stage adopt needs the digest of weights, and it has none")
    network = build(spec.model, info, seed=0, defence=spec.defence)
    tensors = from_safetensors(room.artifacts.weights(digest), digest=digest)
    load_into(network.body, tensors, renamed=spec.model.weights_map, name=spec.model.name)
    require_sound(network, info, name=spec.model.name)
    return network


def model_info(artifacts: Artifacts, key: str, spec: TrainSpec) -> DatasetInfo:
    """Return the info of the data set that a model was trained on, by its job key and its spec."""
    outcome = artifacts.result(key).outcome
    read = outcome.data_info if isinstance(outcome, TrainOutcome) else None
    if (info := read or source(spec.data).info) is None:
        raise ArtifactError(f"job {key}: its result has no info of its data set", key=key)
    return info


def _trained(
    network: Network, history: list[EpochRecord], info: DatasetInfo, *, resumed: str | None = None, best: BestWeights | None = None
) -> Computed:
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    files = {_MODEL: _saved(network.state_dict())}
    epoch = None if best is None else best.epoch
    if best is not None and history and epoch != history[-1].epoch:
        files[_BEST] = _saved(best.weights)
    outcome = TrainOutcome(
        history=history, ranks=network.ranks(), n_parameters=n_parameters, resumed=resumed, data_info=info, best_epoch=epoch
    )
    return outcome, files


def _saved(weights: Mapping[str, Tensor]) -> bytes:
    return save({name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in weights.items()})


def _untrained(room: Room, spec: TrainSpec, info: DatasetInfo) -> Network:
    """Return the network at the start of its training, on the CPU."""
    if spec.stage == "pretrain":
        return build(spec.model, info, seed=room.seed("weights"), defence=spec.defence)
    if spec.stage == "adopt":
        return _adopted(room, spec, info)
    parent, weights = _stored(room.artifacts, room.parent("weights"), best=spec.stage == "select")
    dense = spec.model.tensorized and not parent.model.tensorized
    network = build(parent.model, info, seed=0) if dense else build(spec.model, info, seed=0, defence=spec.defence)
    network.load_state_dict(weights)
    return decomposed(network, spec.model, info, defence=spec.defence) if dense else network


def _stored(artifacts: Artifacts, key: str, *, best: bool = False) -> tuple[TrainSpec, dict[str, Tensor]]:
    """Return a model's training spec and its weights, the last or the best ones, by its job key."""
    return artifacts.model(key), load(artifacts.read(key, _best_file(artifacts, key) if best else _MODEL))


def _best_file(artifacts: Artifacts, key: str) -> str:
    """Return the file of a training's best weights.

    Raises:
        UserError: it kept none: an earlier version did not.
    """
    result = artifacts.result(key)
    if not isinstance(result.outcome, TrainOutcome) or (epoch := result.outcome.best_epoch) is None:
        raise UserError(f"training {key}: kept no best weights (an earlier version did not); with another seed it is trained anew")
    return _MODEL if epoch == result.outcome.history[-1].epoch else _BEST


def _evaluate(room: Room, spec: EvaluateSpec | CorruptSpec, report: Report, *, perturb: Perturb | None = None) -> Computed:
    network, split = room.trained(spec.evaluation)
    course, size = room.course(network, report), spec.evaluation.batch_size
    found = evaluated(network, split, batch_size=size, draws=spec.evaluation.draws, perturb=perturb, course=course)
    return FlagsOutcome.pack(found.correct, examples=found.examples), {}


def _craft(room: Room, spec: CraftSpec, report: Report) -> Computed:
    network, split = room.trained(spec.evaluation)
    start, memory = room.generator("start"), room.memory(spec.evaluation)
    course, ledger = room.course(network, report, start=start), Ledger()
    size = spec.evaluation.batch_size
    examples, distance = craft(network, split, spec.attack, batch_size=size, generator=start, memory=memory, ledger=ledger, course=course)
    sizes = "" if ledger.sizes is None else packed_numbers(ledger.sizes.numpy())
    outcome = CraftOutcome(n_examples=len(split), max_perturbation=distance, sizes=sizes, spent=ledger.spent)
    return outcome, {_EXAMPLES: save({"examples": examples})}


def _attack(room: Room, spec: AttackSpec, report: Report) -> Computed:
    if shards := shard_roles(room.job.parents):
        return one_after_the_other([room.outcome(role) for role in shards], examples=spec.evaluation.examples), {}
    if spec.attack.facts.suite and spec.knowledge not in CRAFTED:
        return _joined([room.outcome(role) for role in room.job.parents if role != "model"]), {}
    network, split = room.trained(spec.evaluation)
    start, ledger = room.generator("start"), Ledger(spec.attack.norm)
    if spec.knowledge in CRAFTED:
        perturb = replayer(_crafted(room, spec), epsilon=spec.attack.epsilon, bounds=network.bounds, norm=spec.attack.norm)
    else:
        perturb = attacker(network, spec.attack, generator=start, memory=room.memory(spec.evaluation), ledger=ledger)
    before = room.outcome("survivors") if "survivors" in room.job.parents else None
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
        metrics=room.metrics(spec.evaluation) if left is None else (),
        ledger=ledger,
        keep=spec.keep_examples,
        course=room.course(network, report, start=start),
    )
    kept = _kept(room, spec, network, attacked, found, left)
    if before is not None and left is not None:
        numbers = numbers_among_all(found.examples, before.examples, left)
        return FlagsOutcome.pack(among_all(found.correct, left), metrics=found.metrics, examples=numbers, spent=ledger.spent), kept
    examples, spent = (found.examples, ledger.spent) if spec.knowledge not in CRAFTED else _of_crafting(room, found.examples)
    return FlagsOutcome.pack(found.correct, metrics=found.metrics, examples=examples, spent=spent), kept


def _kept(
    room: Room, spec: AttackSpec, network: Network, attacked: DeviceSplit, found: Evaluated, left: NDArray[np.bool_] | None
) -> dict[str, bytes]:
    """Return the file of the examples that the attack keeps, if it keeps any; of those that it was `left`, if others came before it."""
    if found.kept is None:
        return {}
    places = torch.arange(len(attacked)) if left is None else torch.from_numpy(left.nonzero()[0])
    evaluation, seed = spec.evaluation, room.seed("kept")
    size, draws, places = evaluation.batch_size, evaluation.draws, places[: len(found.kept)].clone()
    return {KEPT_FILE: save(kept_examples(network, attacked, found.kept, places=places, batch_size=size, draws=draws, seed=seed))}


def _joined(parts: Sequence[FlagsOutcome]) -> FlagsOutcome:
    """Return the outcome of a suite from those of its attacks: of its last one, which was given what the others had left, or of all."""
    correct = [part.correct() for part in parts]
    return FlagsOutcome.pack(worst_attack(correct), examples=worst_numbers(correct, [part.examples for part in parts]))


def _of_crafting(room: Room, examples: PerExample) -> tuple[PerExample, Spent | None]:
    """Return the numbers of replayed examples with a minimum-norm attack's sizes, and what they cost to make."""
    outcome = room.artifacts.result(room.parent("examples")).outcome
    assert isinstance(outcome, CraftOutcome)  # noqa: S101 (`require_fitting_examples` has seen to it)
    return examples.model_copy(update={"sizes": outcome.sizes or examples.sizes}), outcome.spent


def _crafted(room: Room, spec: AttackSpec) -> Tensor:
    """Return the examples that the attack replays, (examples, *shape), on the CPU."""
    key = room.parent("examples")
    require_fitting_examples(room.artifacts, spec, model=room.parent("model"), examples=key, source=_source(room, spec))
    return load(room.artifacts.read(key, _EXAMPLES))["examples"]


def _source(room: Room, spec: AttackSpec) -> str:
    """Return the key of the model on which the attack's examples were made."""
    model = room.parent("model")
    if spec.knowledge != "transfer":
        return model
    if room.parent("source") == model:
        raise UserError(f"job {room.job.key}: knowledge=transfer: its source is the attacked model itself, which is knowledge=omniscient")
    return room.parent("source")


def _diagnose(room: Room, spec: DiagnoseSpec) -> Computed:
    network, split = room.trained(EvaluationSpec(examples=spec.diagnosis.examples))
    return diagnose(network, split, spec.diagnosis, seeds=room.seed, surrogate=lambda: _surrogate(room, spec.diagnosis)), {}


def _surrogate(room: Room, diagnosis: DiagnosisSettings) -> Network:
    """Return a net whose adversarial examples may fool the diagnosed model: the one that it was made of (without its defence, sketch or
    Tucker form), else one that is trained on its answers."""
    trained = room.artifacts.job(room.parent("model"))
    if "weights" in trained.parents:
        return room.network(trained.parents["weights"])[0]
    network, data = room.network(trained.key)
    try:
        examples = room.split(data.unlimited, "train", EXAMPLES, trained)
    except UserError:  # there are fewer
        examples = room.split(data.unlimited, "train", None, trained)
    return train_surrogate(network, examples, epsilon=diagnosis.epsilon, seed=room.seed("surrogate"))


def _surface(room: Room, spec: SurfaceSpec) -> Computed:
    settings = spec.surface
    network, split = room.trained(EvaluationSpec(examples=settings.example + 1))
    example, label = split.batch(slice(settings.example, None))
    seeds = [room.seed(f"draw {draw}") for draw in range(settings.draws)]
    role = "direction" if settings.direction == "theta_one" else "model"
    source = room.parent(role)
    if settings.direction == "theta_one":
        gradient = full_gradient(room.network(source)[0], example, label)
    else:
        gradient = drawn_gradient(network, example, label, seeds=seeds)
    # The y axis depends on the net that gives the x axis, and on nothing else: every theta has the same plane.
    generator = torch.Generator().manual_seed(derive_seed(room.parent_seed(role), f"plane {settings.example}"))
    directions = plane(gradient, norm=settings.norm, generator=generator)
    found = explore(network, example, label, directions=directions, settings=settings, seeds=seeds)
    return found.outcome(), {_SURFACE: save(found.tensors())}


@lru_cache(maxsize=4)
def _load_network(url: str, key: str, digest: str, device: torch.device) -> tuple[Network, DataSpec]:  # noqa: ARG001 (of the cache's key)
    """Return a trained model by its job key; the last few are cached in this process, which Ray reuses for many jobs."""
    network, data = load_model(Artifacts(url), key)
    return network.to(device), data


def load_model(artifacts: Artifacts, key: str) -> tuple[Network, DataSpec]:
    """Return a trained model, on the CPU, frozen and in eval mode, by its job key, and the data that it was trained on.

    Raises:
        ArtifactError: its files cannot be read, or it is the job of no model.
    """
    spec, weights = _stored(artifacts, key)
    network = build(spec.model, model_info(artifacts, key, spec), seed=0, defence=spec.defence)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False), spec.data


@lru_cache(maxsize=1)
def _clean_gradients(owner: tuple[Hashable, ...]) -> Memory:  # noqa: ARG001 (the cache's key)
    """Return an empty memory, cached until another owner is requested: jobs that differ in epsilon run consecutively."""
    return {}


def _load(data: DataSpec, code: str | None, root: DataRoot, files: str | None) -> Dataset:
    """Return a data set; the last one whose info is not stated is cached: it is needed for that and for its examples."""
    return load_data(source(data), root, digest=files) if source(data).info is not None else _cached(data, code, root, files)


@lru_cache(maxsize=1)
def _cached(data: DataSpec, code: str | None, root: DataRoot, files: str | None) -> Dataset:  # noqa: ARG001 (of the cache's key)
    return load_data(source(data), root, digest=files)


@lru_cache(maxsize=4)
def _load_split(
    data: DataSpec,
    code: str | None,
    part: Part,
    first: tuple[int | None, ExampleOrder],
    root: DataRoot,
    device: torch.device,
    files: str | None,
) -> DeviceSplit:
    count, order = first
    found, among = part_of(_load(data.whole, code, root, files), data, part)
    available = len(found) if among is None else len(among)
    if part == "validation" and count is not None:  # the number is that of test examples; fewer may be held out
        count = min(count, available)
    if count is not None and count > available:
        raise UserError(f"{data.name}: {count} {part} examples asked for: there are {available}")
    return DeviceSplit.put(found, device, count=count, order=order, among=among)
