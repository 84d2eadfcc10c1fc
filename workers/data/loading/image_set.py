"""Data sets of any number of images: decoded once into a memory-mapped array of bytes, whence batches are gathered. Imports no torch."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.components.facts import DatasetInfo
from workers.data.loading.array_cache import Rows, cache_folder, cached_rows, cached_text, release
from workers.data.loading.image_files import DECODING, Pixels
from workers.data.loading.source import Dataset, Split

_PART = 2**24
_LEVELS = 255
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Listing:
    """Images of a data set that have not been decoded yet: class names, and the labels of the training and the test examples."""

    classes: tuple[str, ...]
    train: Labels
    test: Labels


def decoded(root: Path, name: str, content: str, listing: Listing, images: Iterator[Pixels], *, shape: tuple[int, int, int]) -> Dataset:
    """The data set of these images, from the data root's cache where it is there, else decoded into it first.

    Mean and standard deviation are those of the training split. The bounds are [0, 1].

    Args:
        root: the data root.
        name: of the data set.
        content: what the images are made of: equal texts, equal images.
        listing: classes and labels.
        images: the training images, then the test images, each of `shape`.
        shape: (channels, height, width).

    Raises:
        DataError: an image cannot be read, or the cache cannot be written.
    """
    folder, stem = cache_folder(root), _stem(name, f"{DECODING} {shape} {content}")
    border = len(listing.train)
    rows = cached_rows(folder, stem, (border + len(listing.test), *shape), images, kind="|u1")
    mean, std = json.loads(cached_text(folder / f"{stem}.json", lambda: json.dumps(_statistics(rows[:border]))))
    info = DatasetInfo(len(listing.classes), shape, tuple(mean), tuple(std), classes=listing.classes)
    return Dataset(Split(rows[:border], listing.train), Split(rows[border:], listing.test), info=info)


def _stem(name: str, content: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9._-]', '-', name)}-{hashlib.sha256(content.encode()).hexdigest()[:32]}"


def _statistics(rows: Rows) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, in [0, 1]. Sums are of whole numbers: exact, and so the same on every machine."""
    channels = rows.shape[1]
    total, squares = np.zeros(channels, dtype=np.int64), np.zeros(channels, dtype=np.int64)
    step = max(1, _PART // rows[:1].nbytes)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        counts = [np.bincount(part[:, channel].ravel(), minlength=_LEVELS + 1) for channel in range(channels)]
        levels = np.arange(_LEVELS + 1)
        total += [int(count @ levels) for count in counts]
        squares += [int(count @ levels**2) for count in counts]
        release(rows)
    number = rows.size // channels
    mean = total / number
    deviation = np.sqrt(np.maximum(squares / number - mean**2, 1.0))  # of a channel that is constant: one level
    return (mean / _LEVELS).tolist(), (deviation / _LEVELS).tolist()
