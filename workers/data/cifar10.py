"""CIFAR-10 from torchvision's layout, `ROOT/cifar-10-batches-py/` (Krizhevsky, 2009)."""

import hashlib
import io
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from workers.data.loading.source import Dataset, Split
from workers.errors import DataError
from workers.facts import DatasetInfo
from workers.registry import dataset

_FOLDER = "cifar-10-batches-py"
_TRAIN = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
_TEST = {"test_batch": "40351d587109b95175f43aff81a1287e"}
_HELP = "get it with: python -c \"from torchvision.datasets import CIFAR10; CIFAR10('DIR', download=True)\", then give --data DIR"
_ALLOWED_GLOBALS = {("numpy", "dtype"), ("numpy", "ndarray")}


def _folder(root: Path | None) -> Path:
    if root is None:
        raise DataError(f"cifar10: no data folder given (--data DIR or ROBUSTSWEEP_DATA; DIR holds {_FOLDER}/); {_HELP}")
    return root / _FOLDER


def _check(root: Path | None) -> None:
    folder = _folder(root)
    missing = [name for name in (*_TRAIN, *_TEST) if not (folder / name).is_file()]
    if missing:
        raise DataError(f"cifar10: looked for {', '.join(missing)} in {folder}: not there; {_HELP}")


@dataset(
    info=DatasetInfo(n_classes=10, shape=(3, 32, 32), mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
    n_train=50_000,
    n_test=10_000,
    folder=_FOLDER,
    photographs=True,
    check=_check,
)
@cache
def cifar10(root: Path | None) -> Dataset:
    """CIFAR-10, all of it."""
    _check(root)
    folder = _folder(root)
    train = [_batch(folder / name, md5) for name, md5 in _TRAIN.items()]
    test = [_batch(folder / name, md5) for name, md5 in _TEST.items()]
    return Dataset(train=_join(train), test=_join(test))


def _join(batches: list[Split]) -> Split:
    return Split(np.concatenate([batch.inputs for batch in batches]), np.concatenate([batch.labels for batch in batches]))


def _batch(path: Path, md5: str) -> Split:
    """One batch of 10,000 images, uint8. The published MD5 is checked before a byte is interpreted."""
    content = path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DataError(f"cifar10: {path} is corrupt: its MD5 is {found}, the published one {md5}; delete it and {_HELP}")
    fields = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    return Split(np.asarray(fields[b"data"]).reshape(-1, 3, 32, 32), np.asarray(fields[b"labels"], dtype=np.int64))


class _ArraysOnly(pickle.Unpickler):
    """The published files are pickles; this reader builds NumPy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        if (module, name) in _ALLOWED_GLOBALS:
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name}: not part of a CIFAR-10 batch")
