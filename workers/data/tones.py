"""Twelve synthetic tones, one frequency a class, in the shape of the speech data: waveforms that need no files."""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.components.facts import DatasetInfo
from workers.data.loading.source import Dataset, Split
from workers.data.loading.wav import FULL_SCALE, SAMPLE_RATE
from workers.registry import dataset

FREQUENCIES = np.geomspace(200, 4000, 12)
"""In Hz, by class."""

_LENGTH, _N_TRAIN, _N_TEST = 16_000, 960, 240
_AMPLITUDE, _SECONDS, _NOISE = (0.05, 0.5), (0.3, 1.0), 0.02


@dataset(
    info=DatasetInfo(n_classes=len(FREQUENCIES), shape=(1, _LENGTH), mean=(0.0,), std=(0.17,), low=-1.0, high=1.0),
    n_train=_N_TRAIN,
    n_test=_N_TEST,
)
@cache
def tones(root: Path | None) -> Dataset:  # noqa: ARG001 (made here: no folder is needed)
    """Twelve synthetic tones in noise."""
    return Dataset(train=_split(_N_TRAIN, seed=0), test=_split(_N_TEST, seed=1))


def _split(count: int, *, seed: int) -> Split:
    labels = np.arange(count, dtype=np.int64) % len(FREQUENCIES)
    tones = [_tone(FREQUENCIES[label], np.random.default_rng([seed, number])) for number, label in enumerate(labels)]
    return Split(np.stack(tones)[:, None], labels)


def _tone(frequency: float, random: np.random.Generator) -> NDArray[np.int16]:
    """One second of a tone in noise, (16000,): random phase, loudness, length and place."""
    seconds = np.arange(_LENGTH) / SAMPLE_RATE
    length = random.uniform(*_SECONDS)
    start = random.uniform(0, 1 - length)
    heard = (seconds >= start) & (seconds < start + length)
    wave = random.uniform(*_AMPLITUDE) * np.sin(2 * np.pi * (frequency * seconds + random.uniform())) * heard
    noisy = wave + _NOISE * random.standard_normal(_LENGTH)
    return np.round(noisy * (FULL_SCALE - 1)).astype(np.int16)
