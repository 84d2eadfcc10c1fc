"""Test examples as pictures, (rows, columns, 3) bytes: images enlarged, waveforms with their spectrograms; and as sounds."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.data.loading.image_files import Pixels
from workers.data.loading.wav import SAMPLE_RATE

Array = NDArray[np.float32]

_CHANNELS, _IMAGE_AXES = 3, 3
_LEVELS, _FULL_SCALE = 255, 32_767
_WIDTH, _WAVE_ROWS, _SPECTRUM_ROWS = 300, 72, 96
_WINDOW, _HOP, _RANGE_DB = 400, 160, 80.0
_INK, _PAPER = (31, 87, 153), 255
_MAP = np.array([(0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191)], dtype=np.float64)


def is_image(array: Array) -> bool:
    return array.ndim == _IMAGE_AXES and array.shape[0] in (1, _CHANNELS)


def image_pixels(array: Array) -> Pixels:
    """Return an image (channels, height, width) in [0, 1], a pixel for each of its own."""
    pixels: Pixels = np.round(_LEVELS * np.clip(array, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
    return pixels if pixels.shape[2] == _CHANNELS else pixels.repeat(_CHANNELS, axis=2)


def enlarged(pixels: Pixels, rows: int) -> Pixels:
    """Repeat pixels as often as they fit into so many rows; a picture that is larger stays as it is."""
    factor = max(1, rows // pixels.shape[0])
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def perturbation_range(array: Array) -> Array:
    """Return a perturbation in the range [0, 1] of images: 0.5 where nothing changed, its largest change at 0 or 1."""
    largest = float(np.abs(array).max())
    return 0.5 + array / (2 * largest) if largest else np.full_like(array, 0.5)


def sound_pixels(array: Array, *, peak: float) -> Pixels:
    """Return a waveform (1, samples) drawn over time, with its spectrogram below it: from 0 at the bottom up, over 80 dB.

    Args:
        array: the waveform.
        peak: value at the edge of the drawing.
    """
    samples = array.reshape(-1).astype(np.float64)
    return np.concatenate([_waveform(samples, peak or 1.0), _spectrogram(samples)])


def _waveform(samples: NDArray[np.float64], peak: float) -> Pixels:
    """Draw the least and the greatest sample of each column, and all between them."""
    parts = np.array_split(samples, min(_WIDTH, len(samples)))
    middle = (_WAVE_ROWS - 1) / 2
    highest, lowest = (
        np.clip(middle - middle * np.array([end(part) for part in parts]) / peak, 0, _WAVE_ROWS - 1) for end in (np.max, np.min)
    )
    rows = np.arange(_WAVE_ROWS)[:, None]
    drawn = (rows >= np.floor(highest)) & (rows <= np.ceil(lowest))
    pixels = np.full((_WAVE_ROWS, len(parts), _CHANNELS), _PAPER, dtype=np.uint8)
    pixels[drawn] = _INK
    return pixels[:, np.arange(_WIDTH) * len(parts) // _WIDTH]


def _spectrogram(samples: NDArray[np.float64]) -> Pixels:
    padded = np.pad(samples, (0, max(0, _WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1)).T[::-1] ** 2
    decibels = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-30), 10 ** (-_RANGE_DB / 10)))
    across = np.arange(_WIDTH) * power.shape[1] // _WIDTH
    down = np.arange(_SPECTRUM_ROWS) * power.shape[0] // _SPECTRUM_ROWS
    levels = (1 + decibels / _RANGE_DB)[down][:, across] * (len(_MAP) - 1)
    channels = [np.interp(levels, np.arange(len(_MAP)), _MAP[:, channel]) for channel in range(_CHANNELS)]
    pixels: Pixels = np.stack(channels, axis=-1).round().astype(np.uint8)
    return pixels


def png_bytes(pixels: Pixels) -> bytes:
    """Return a picture as a PNG file."""
    image, content = _module().fromarray(pixels), io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return content.getvalue()


def _module() -> Any:
    from PIL import Image

    return Image


def as_wav(array: Array, *, loudness: float = 1.0) -> bytes:
    """Return a waveform (1, samples) in [-1, 1], scaled by `loudness`, as a 16-bit WAV file."""
    from scipy.io import wavfile

    samples = np.round(_FULL_SCALE * np.clip(array.reshape(-1) * loudness, -1, 1)).astype("<i2")
    wavfile.write(content := io.BytesIO(), SAMPLE_RATE, samples)
    return content.getvalue()


def loudness_of(perturbation: Array) -> float:
    """Return the factor that scales a perturbation to full scale; 1 where it is zero."""
    largest = float(np.abs(perturbation).max())
    return 1 / largest if largest else 1.0


def snr_db(clean: Array, attacked: Array) -> float | None:
    """Return the signal-to-noise ratio of an adversarial waveform in dB, as the metric of that name; None of silence, or without change."""
    signal, noise = (float(np.linalg.norm(values.astype(np.float64))) for values in (clean, attacked - clean))
    return 20 * float(np.log10(signal / noise)) if signal and noise else None
