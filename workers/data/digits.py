"""scikit-learn's bundled handwritten digits (1,797 scans of 8x8), as 3-channel 32x32 images: real data that needs no download."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.components.facts import DatasetInfo
from workers.data.loading.source import Dataset, Split
from workers.registry import dataset

_SIZE, _TEST_EXAMPLES, _LEVELS = 32, 400, 16


@dataset(info=DatasetInfo(n_classes=10, shape=(3, _SIZE, _SIZE), mean=(0.305,) * 3, std=(0.324,) * 3), n_train=1397, n_test=_TEST_EXAMPLES)
@cache
def digits(root: Path | None) -> Dataset:  # noqa: ARG001 (bundled: no folder is needed)
    """scikit-learn's handwritten digits, in colour and 32 pixels wide."""
    scans, labels = _scans()
    images = _enlarge(scans / _LEVELS)
    # The scans come writer by writer: a fixed permutation gives both splits all writers.
    order = np.random.default_rng(0).permutation(len(labels))
    test, train = order[:_TEST_EXAMPLES], order[_TEST_EXAMPLES:]
    targets = labels.astype(np.int64)
    return Dataset(train=Split(images[train], targets[train]), test=Split(images[test], targets[test]))


def _scans() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scikit-learn's scans, (examples, 8, 8), and their labels, as its `load_digits` does: importing it takes ten times as long."""
    (folder,) = importlib.util.find_spec("sklearn").submodule_search_locations  # type: ignore[union-attr,misc]  # a dependency, and a package
    table = np.loadtxt(Path(folder) / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1]


def _enlarge(scans: NDArray[np.float64]) -> NDArray[np.float32]:
    """(examples, 8, 8) to (examples, 3, 32, 32), bilinear with half-pixel centres, the three channels equal."""
    small = scans.shape[-1]
    centres = np.clip((np.arange(_SIZE) + 0.5) * small / _SIZE - 0.5, 0, small - 1)
    weights = np.stack([np.interp(centres, np.arange(small), row) for row in np.eye(small)], axis=1)
    images = np.einsum("ab,nbc,dc->nad", weights, scans, weights).astype(np.float32)
    return np.repeat(images[:, None], 3, axis=1)
