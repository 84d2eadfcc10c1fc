"""Waveforms to listen to, and how loud they are over what was added to them."""

import io
import wave

import numpy as np

from orchestrator.report.examples.example_pixels import Array
from workers.data.loading.wav import SAMPLE_RATE

_FULL_SCALE = 32_767


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


def snr_db(clean: Array, attacked: Array) -> float | None:
    """Return the signal-to-noise ratio of an adversarial waveform in dB, as the metric of that name; None of silence, or without change."""
    signal, noise = (float(np.linalg.norm(values.astype(np.float64))) for values in (clean, attacked - clean))
    return 20 * float(np.log10(signal / noise)) if signal and noise else None
