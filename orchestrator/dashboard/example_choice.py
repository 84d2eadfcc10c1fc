"""One test example as arrays: clean, adversarial, and the difference. Imports neither Streamlit nor torch."""

import io
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from workers.artifacts.artifacts import Artifacts
from workers.artifacts.results import TrainOutcome
from workers.data.loading import remote, source
from workers.data.loading.remote import DataRoot
from workers.data.loading.source import Split
from workers.data.loading.wav import SAMPLE_RATE
from workers.errors import ArtifactError
from workers.spec.component import DataSpec
from workers.spec.job import TrainSpec

EXAMPLES_FILE = "examples.safetensors"
_PIXELS = 256
_CHANNELS, _IMAGE_AXES = 3, 3
_LEVELS, _FULL_SCALE = 255, 32_767
Array = NDArray[np.float32]


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


def clean_examples(data: DataSpec, count: int, *, root: DataRoot) -> tuple[Array, NDArray[np.int64]]:
    """Load the first `count` test examples, in the fixed order of evaluation, (count, *shape) in input units, and their labels.

    Raises:
        DataError: the data set's files are not there, or not what they should be.
    """
    dataset = source(data)
    remote.check(dataset, root)
    split = remote.load(dataset, root).test.first(count)
    return in_input_units(split), split.labels


def in_input_units(split: Split) -> Array:
    """Return the inputs as floats; see `Split` for their encodings."""
    scale = {"uint8": _LEVELS, "int16": _FULL_SCALE + 1}.get(split.inputs.dtype.name, 1)
    return np.asarray(split.inputs, dtype=np.float32) / np.float32(scale)


def adversarial_examples(artifacts: Artifacts, job_key: str) -> Array:
    """Load the examples that a craft job keeps, (examples, *shape) in input units.

    Raises:
        ArtifactError: they are not there, or have changed.
    """
    return np.asarray(load(artifacts.read(job_key, EXAMPLES_FILE))["examples"], dtype=np.float32)


def is_image(array: Array) -> bool:
    return array.ndim == _IMAGE_AXES and array.shape[0] in (1, _CHANNELS)


def as_image(array: Array) -> NDArray[np.uint8]:
    """Return an image (channels, height, width) in [0, 1] as (rows, columns, 3) bytes, its pixels large enough to be seen."""
    pixels = np.round(_LEVELS * np.clip(array, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
    enlarged = pixels.repeat(factor := max(1, _PIXELS // pixels.shape[0]), axis=0).repeat(factor, axis=1)
    return enlarged if enlarged.shape[2] == _CHANNELS else enlarged.repeat(_CHANNELS, axis=2)


def perturbation_image(array: Array) -> NDArray[np.uint8]:
    """Return a perturbation as an image: grey where nothing changed, its largest change in full white or black."""
    largest = float(np.abs(array).max())
    return as_image(0.5 + array / (2 * largest) if largest else np.full_like(array, 0.5))


def as_wav(array: Array, *, loudness: float = 1.0) -> bytes:
    """Return a waveform (1, samples) in [-1, 1], scaled by `loudness`, as a 16-bit WAV file."""
    samples = np.round(_FULL_SCALE * np.clip(array.reshape(-1) * loudness, -1, 1)).astype("<i2")
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.tobytes())
    return content.getvalue()


def loudness_of(perturbation: Array) -> float:
    """Return the factor that scales a perturbation to full scale; 1 where it is zero."""
    largest = float(np.abs(perturbation).max())
    return 1 / largest if largest else 1.0
