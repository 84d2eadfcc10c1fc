"""What every data set offers, and the fixed order in which its subsets are taken."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DatasetInfo:
    """What a network must know: `shape` is (channels, height, width); `mean` and `std` are per channel, for inputs in [0, 1]."""

    n_classes: int
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Split:
    """Inputs (examples, channels, height, width), float32 in [0, 1] or uint8, and labels (examples,) of type int64."""

    inputs: NDArray[Any]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> "Split":
        """The first `count` examples of the fixed class-balanced order; all, in file order, where `count` is None."""
        if count is None:
            return self
        chosen = balanced_subset(self.labels, count)
        return Split(self.inputs[chosen], self.labels[chosen])


@dataclass(frozen=True)
class Dataset:
    """A training and a test split."""

    train: Split
    test: Split


@dataclass(frozen=True)
class Source:
    """A data set in the registry: `check(root)` raises DataError where files are missing, quickly and without reading them;
    `load(root)` reads and verifies them."""

    info: DatasetInfo
    n_train: int
    n_test: int
    check: Callable[[Path | None], None]
    load: Callable[[Path | None], Dataset]


def balanced_subset(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices of `count` examples, the classes taking turns, each class in file order; a longer subset starts with the shorter one.

    Raises:
        ValueError: there are fewer than `count` examples.
    """
    if count > len(labels):
        raise ValueError(f"{count} examples asked for: the split has {len(labels)}")
    by_class = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[by_class], labels[by_class])
    turn = np.empty(len(labels), dtype=np.int64)
    turn[by_class] = np.arange(len(labels)) - starts
    return np.lexsort((labels, turn))[:count]
