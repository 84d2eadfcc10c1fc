"""What every data set offers, and the fixed order in which its subsets are taken."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GET_IT = "get it with: robustsweep launch SPACE --data DIR --download"


@dataclass(frozen=True)
class DatasetInfo:
    """What networks and attacks must know.

    `shape` is an example's, (channels, height, width) or (channels, samples); `mean` and `std` are per channel, in input units;
    `low` and `high` bound every legal input: [0, 1] for images, [-1, 1] for waveforms.
    """

    n_classes: int
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Split:
    """Inputs (examples, *shape) and labels (examples,) of type int64. Inputs are float32 in input units, or coded: uint8 images
    stand for [0, 1] (divide by 255), int16 waveforms for [-1, 1) (divide by 32,768)."""

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
    `load(root)` reads and verifies them; `sizes(root)` gives the numbers of training and test examples, None where they depend on
    the files and no root is given. `folder` is what the set needs of a data root; empty for a set that is made without files.
    `download(root)` puts the published files into an empty `root`, after their checksum; use `workers.data.download`."""

    info: DatasetInfo
    check: Callable[[Path | None], None]
    load: Callable[[Path | None], Dataset]
    n_train: int | None = None
    n_test: int | None = None
    count: Callable[[Path], tuple[int, int]] | None = None
    folder: str = ""
    download: Callable[[Path], None] | None = None

    def sizes(self, root: Path | None) -> tuple[int | None, int | None]:
        return self.count(root) if self.count and root else (self.n_train, self.n_test)


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
