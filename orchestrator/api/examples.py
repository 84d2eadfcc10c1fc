"""Examples as arrays: clean ones of a data set, and those that jobs keep after an attack. Imports no torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from workers.artifacts.artifacts import Artifacts
from workers.artifacts.results import TrainOutcome
from workers.data.loading import remote, source
from workers.data.loading.parts import part_of
from workers.data.loading.remote import DataRoot
from workers.data.loading.source import Split
from workers.errors import ArtifactError, UserError
from workers.spec.component import DataSpec
from workers.spec.fields import ExampleOrder, SplitName
from workers.spec.job import CraftSpec, TrainSpec

EXAMPLES_FILE = "examples.safetensors"
_LEVELS, _FULL_SCALE = 255, 32_768
Array = NDArray[np.float32]


@dataclass(frozen=True)
class AttackedExamples:
    """Test examples of an attack in the fixed order of evaluation: `clean` and `adversarial`, (examples, *shape), in input units, and
    `labels`, (examples,)."""

    clean: Array
    adversarial: Array
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Perturbed:
    """Example, its adversarial version, and their difference, each (*shape), in input units."""

    clean: Array
    adversarial: Array

    @property
    def perturbation(self) -> Array:
        return self.adversarial - self.clean

    @property
    def largest(self) -> float:
        """Largest change of any input value."""
        return float(np.abs(self.perturbation).max())


def data_of(artifacts: Artifacts, model_key: str) -> DataSpec:
    """Return the data set that the model was trained on, by its artifact.

    Raises:
        ArtifactError: the artifact cannot be read, or is not one of a model.
    """
    spec = artifacts.job(model_key).spec
    if not isinstance(spec, TrainSpec):
        raise ArtifactError(f"job {model_key}: a {spec.stage} job has no model")
    return spec.data


def class_named(artifacts: Artifacts, model_key: str, label: int) -> str:
    """Return a class's number, with its name where the model's data set gives its classes names.

    Raises:
        ArtifactError: the model's artifact cannot be read.
    """
    outcome = artifacts.result(model_key).outcome
    info = outcome.data_info if isinstance(outcome, TrainOutcome) else None
    return f"number {label}" if info is None or not info.classes else f"number {label}, {info.classes[label]}"


def clean_examples(
    data: DataSpec, count: int, *, order: ExampleOrder, root: DataRoot, split: SplitName = "test"
) -> tuple[Array, NDArray[np.int64]]:
    """Load the first `count` examples of a split in an order, (count, *shape) in input units, and their labels.

    Raises:
        DataError: the data set's files are not there, or not what they should be.
    """
    dataset = source(data)
    remote.check(dataset, root)
    found, among = part_of(remote.load(dataset, root), data, split)
    chosen = (found if among is None else found.at(among)).first(count, order=order)
    return in_input_units(chosen), chosen.labels


def in_input_units(split: Split) -> Array:
    """Return the inputs as floats; see `Split` for their encodings."""
    scale = {"uint8": _LEVELS, "int16": _FULL_SCALE}.get(split.inputs.dtype.name, 1)
    return np.asarray(split.inputs, dtype=np.float32) / np.float32(scale)


def adversarial_examples(artifacts: Artifacts, job_key: str) -> Array:
    """Load the examples that a craft job keeps, (examples, *shape) in input units.

    Raises:
        ArtifactError: they are not there, or have changed.
    """
    return np.asarray(load(artifacts.read(job_key, EXAMPLES_FILE))["examples"], dtype=np.float32)


def attacked_examples(artifacts: Artifacts, job_key: str, *, root: DataRoot) -> AttackedExamples:
    """Load the examples that a craft job keeps, or on which an attack job measured, beside the clean ones.

    Raises:
        UserError: the job keeps none.
        ArtifactError: its files are not there, or have changed.
        DataError: the data set's files are not there.
    """
    job = artifacts.job(job_key)
    if (crafted := job.parents.get("examples")) is not None:
        job_key, job = crafted, artifacts.job(crafted)
    if not isinstance(job.spec, CraftSpec):
        raise UserError(f"examples of {job_key}: this {job.stage} job keeps none; attacks of knowledge omniscient or transfer do")
    adversarial = adversarial_examples(artifacts, job_key)
    data, evaluation = data_of(artifacts, job.parents["model"]), job.spec.evaluation
    clean, labels = clean_examples(data, len(adversarial), order=evaluation.resolved_order, root=root, split=evaluation.split)
    return AttackedExamples(clean, adversarial, labels)
