"""One test example as an image or a sound. Imports neither Streamlit nor torch."""

import io
import wave

import numpy as np
from numpy.typing import NDArray

from orchestrator.api.examples import Array
from workers.data.loading.wav import SAMPLE_RATE

_PIXELS = 256
_CHANNELS, _IMAGE_AXES = 3, 3
_LEVELS, _FULL_SCALE = 255, 32_767


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
