"""Context of a job: what it reads of its parents and of its data, and the caches that jobs of one process share."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache

import torch

from workers.artifacts.artifacts import MODEL_FILE, Artifacts, JobFolder
from workers.artifacts.outcomes import FlagsOutcome
from workers.attacks.engine import Memory
from workers.components.component_registry import Component
from workers.components.facts import DatasetInfo, MetricFacts
from workers.data.loading import Dataset, source
from workers.data.loading.device_split import DeviceSplit
from workers.data.loading.parts import Part, part_of
from workers.data.loading.remote import DataRoot
from workers.data.loading.remote import load as load_data
from workers.data.loading.source import first_places
from workers.errors import UserError
from workers.measure.evaluate import require_sketch
from workers.measure.resumable_loop import SAVE_SECONDS, ProgressFile, ResumableLoop
from workers.models.network import Network
from workers.progress import Report
from workers.registry import METRICS
from workers.runtime.stored_models import load_model
from workers.spec.component import DataSpec
from workers.spec.fields import ExampleOrder
from workers.spec.job import Job
from workers.spec.keys import data_digest_name, derive_seed
from workers.spec.stage_specs import EvaluationSpec
from workers.train import Checkpoint
from workers.train.group import ALONE, TrainingProcess


@dataclass(frozen=True)
class JobContext:
    """Context of a job: its artifacts, data and device, and the processes that share it where it is a training."""

    job: Job
    artifacts: Artifacts
    folder: JobFolder
    data_root: DataRoot
    device: torch.device
    save_seconds: float = SAVE_SECONDS
    examples_per_pass: int | None = None
    group: TrainingProcess = ALONE

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
        network, data = load_network(self.artifacts.url, key, self._weights(key), self.device)
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
        return load_split(data, data.component.digest, part, (count, order), self.data_root, self.device, files)

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
        return found.info or found.info_of(_dataset(data.whole, data.component.digest, self.data_root, files))

    def _weights(self, key: str) -> str:
        """Return the SHA-256 of a trained model's weights: a model that was lost and trained again on a GPU may differ in its last bits."""
        return self.artifacts.result(key).files.get(MODEL_FILE, "")

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

    def loop(self, network: Network, report: Report, **generators: torch.Generator) -> ResumableLoop:
        """Return the loop over the job's examples, resumed from an earlier attempt; the network's own generator is among its generators."""
        if network.sketch.generator is not None:
            generators["sketch"] = network.sketch.generator
        return ResumableLoop(self.job.key, generators, report, ProgressFile(self.folder), self.save_seconds)

    def memory(self, evaluation: EvaluationSpec) -> Memory:
        """Return this process's cached clean gradients of the parent model, with full weights, for this evaluation."""
        key = self.parent("model")
        return clean_gradients((self.artifacts.url, self.data_root, key, self._weights(key), evaluation, self.device))


@lru_cache(maxsize=4)
def load_network(url: str, key: str, digest: str, device: torch.device) -> tuple[Network, DataSpec]:  # noqa: ARG001 (of the cache's key)
    """Return a trained model by its job key; the last few are cached in this process, which Ray reuses for many jobs."""
    network, data = load_model(Artifacts(url), key)
    return network.to(device), data


@lru_cache(maxsize=1)
def clean_gradients(owner: tuple[Hashable, ...]) -> Memory:  # noqa: ARG001 (the cache's key)
    """Return an empty memory, cached until another owner is requested: jobs that differ in epsilon run consecutively."""
    return {}


def _dataset(data: DataSpec, code: str | None, root: DataRoot, files: str | None) -> Dataset:
    """Return a data set; the last one whose info is not stated is cached: it is needed for that and for its examples."""
    return load_data(source(data), root, digest=files) if source(data).info is not None else _cached_dataset(data, code, root, files)


@lru_cache(maxsize=1)
def _cached_dataset(data: DataSpec, code: str | None, root: DataRoot, files: str | None) -> Dataset:  # noqa: ARG001 (of the cache's key)
    return load_data(source(data), root, digest=files)


@lru_cache(maxsize=4)
def load_split(
    data: DataSpec,
    code: str | None,
    part: Part,
    first: tuple[int | None, ExampleOrder],
    root: DataRoot,
    device: torch.device,
    files: str | None,
) -> DeviceSplit:
    count, order = first
    found, among = part_of(_dataset(data.whole, code, root, files), data, part)
    available = len(found) if among is None else len(among)
    if part == "validation" and count is not None:  # the number is that of test examples; fewer may be held out
        count = min(count, available)
    if count is not None and count > available:
        raise UserError(f"{data.name}: {count} {part} examples asked for: there are {available}")
    return DeviceSplit.put(found, device, count=count, order=order, among=among)
