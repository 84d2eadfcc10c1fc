"""Examples as files have them: clean ones of a data set, and those that jobs keep after an attack."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from orchestrator.report.examples.renderings import Array
from workers.artifacts.artifacts import KEPT_FILE, Artifacts
from workers.artifacts.outcomes import TrainOutcome
from workers.data.loading import remote, source
from workers.data.loading.parts import part_of
from workers.data.loading.remote import DataRoot
from workers.data.loading.source import Split
from workers.errors import ArtifactError
from workers.spec.component import DataSpec
from workers.spec.fields import ExampleOrder, SplitName
from workers.spec.stage_specs import TrainSpec

EXAMPLES_FILE = "examples.safetensors"
_LEVELS, _FULL_SCALE = 255, 32_768


def data_of(artifacts: Artifacts, model_key: str) -> DataSpec:
    """Return the data set that the model was trained on, by its artifact.

    Raises:
        ArtifactError: the artifact cannot be read, or is not one of a model.
    """
    spec = artifacts.job(model_key).spec
    if not isinstance(spec, TrainSpec):
        raise ArtifactError(f"job {model_key}: a {spec.stage} job has no model")
    return spec.data


def class_names(artifacts: Artifacts, model_key: str) -> tuple[str, ...]:
    """Return the names of the classes of the model's data set; empty where they have none.

    Raises:
        ArtifactError: the model's artifact cannot be read.
    """
    outcome = artifacts.result(model_key).outcome
    read = outcome.data_info if isinstance(outcome, TrainOutcome) else None
    known = source(data_of(artifacts, model_key)).info
    return next((info.classes for info in (read, known) if info is not None and info.classes), ())


def class_named(artifacts: Artifacts, model_key: str, label: int) -> str:
    """Return a class's number, with its name where the model's data set gives its classes names.

    Raises:
        ArtifactError: the model's artifact cannot be read.
    """
    names = class_names(artifacts, model_key)
    return f"number {label}, {names[label]}" if names else f"number {label}"


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


def kept_file(artifacts: Artifacts, job_key: str) -> dict[str, NDArray[Any]] | None:
    """Load what an attack kept of its first examples, by the names of `workers.measure.kept_examples`; None where it kept none.

    Raises:
        ArtifactError: the job has no result here, or its file has changed.
    """
    if KEPT_FILE not in artifacts.result(job_key).files:
        return None
    return load(artifacts.read(job_key, KEPT_FILE))
