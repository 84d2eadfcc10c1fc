"""Choice of the clips of Speech Commands for examples: ten words, `unknown` drawn evenly from the others, `silence` cut from the noise.

Every choice follows from the clips' names alone (their SHA-256), so it is the same on every machine, and a clip more or less elsewhere
in the data does not shuffle the rest.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.data.loading.parts import Part
from workers.data.loading.source import balanced_subset
from workers.data.loading.wav import FULL_SCALE, Samples, read_clip, read_samples

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
CLASSES = (*WORDS, "unknown", "silence")
LENGTH = 16_000
_UNKNOWN, _SILENCE = CLASSES.index("unknown"), CLASSES.index("silence")
_TRAIN_NOISE = 0.8
_LOUDNESS = (5e-4, 0.25)


@dataclass(frozen=True)
class Clip:
    """One example: a file's samples, or, where `cut` names one, a second of a noise file."""

    path: Path
    label: int
    cut: str | None = None

    def samples(self) -> Samples:
        """(LENGTH,) samples.

        Raises:
            DataError: the file cannot be used; the message names it.
        """
        return read_clip(self.path, LENGTH) if self.cut is None else _noise(self.path, self.cut)


def examples(words: dict[str, list[Path]], noise: Sequence[Path], silence: Sequence[Path], part: Part) -> list[Clip]:
    """The examples of one split, the classes taking turns.

    `unknown` and `silence` each get as many clips as a word has on average, rounded up (as in the official 12-class test set), or all
    there are.

    Args:
        words: this split's files by word, the ten words and others.
        noise: background noise files; training and validation cut from their first 80 %, testing from the rest.
        silence: ready-made clips of silence; where there are none, they are cut from the noise.
        part: the split.
    """
    known = [Clip(path, label) for label, word in enumerate(WORDS) for path in in_name_order(words.get(word, []))]
    share = math.ceil(len(known) / len(WORDS))
    others = [in_name_order(paths) for word, paths in sorted(words.items()) if word not in WORDS]
    unknown = [Clip(path, _UNKNOWN) for path in _in_turn(others)][:share]
    silent = [Clip(path, _SILENCE) for path in in_name_order(silence)][:share] or list(_cuts(noise, share, part))
    clips = [*known, *unknown, *silent]
    order = balanced_subset(labels_of(clips), len(clips))
    return [clips[place] for place in order]


def labels_of(clips: Iterable[Clip]) -> NDArray[np.int64]:
    return np.array([clip.label for clip in clips], dtype=np.int64)


def in_name_order(paths: Iterable[Path]) -> list[Path]:
    """Files by the SHA-256 of `folder/name`: sorted by name, the first clips would be a few speakers' only."""
    return sorted(paths, key=lambda path: hashlib.sha256(f"{path.parent.name}/{path.name}".encode()).digest())


def _in_turn(lists: Sequence[Sequence[Path]]) -> Iterator[Path]:
    return (path for turn in zip_longest(*lists) for path in turn if path is not None)


def _cuts(noise: Sequence[Path], count: int, part: Part) -> Iterator[Clip]:
    ordered = sorted(noise)
    return (Clip(ordered[number % len(ordered)], _SILENCE, cut=f"{part}/{number}") for number in range(count))


def _noise(path: Path, cut: str) -> Samples:
    """A second of noise; place and loudness (RMS, log-uniform over what the official clips of silence span) follow from its name."""
    noise = read_samples(path)
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(f"{path.name}/{cut}".encode()).digest()[:8], "big"))
    border = int(_TRAIN_NOISE * len(noise))
    part = noise[border:] if cut.startswith("test/") else noise[:border]
    start = int(random.integers(max(1, len(part) - LENGTH + 1)))
    second = np.pad(part[start : start + LENGTH], (0, max(0, LENGTH - len(part)))).astype(np.float64)
    loudness = math.exp(random.uniform(math.log(_LOUDNESS[0]), math.log(_LOUDNESS[1]))) * FULL_SCALE
    peak = (FULL_SCALE - 1) / max(1.0, float(np.abs(second).max()))
    gain = min(loudness / max(1.0, float(np.sqrt(np.mean(second**2)))), peak)
    return np.round(second * gain).astype(np.int16)
