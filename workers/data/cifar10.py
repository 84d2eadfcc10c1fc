"""CIFAR-10 (Krizhevsky, 2009) as torchvision reads it, from `ROOT/cifar-10-batches-py/`."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np

from workers.components.facts import DatasetInfo
from workers.data.loading.source import GET_IT, Dataset, Split
from workers.errors import DataError
from workers.registry import dataset

_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_FOLDER = "cifar-10-batches-py"
# Named here too, since planning asks for them: torchvision's own table is one import of torch away.
_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")


def _folder(root: Path | None) -> Path:
    if root is None:
        raise DataError(f"cifar10: no data folder given (--data DIR or ROBUSTSWEEP_DATA; DIR holds {_FOLDER}/); {GET_IT}")
    return root / _FOLDER


def _check(root: Path | None) -> None:
    folder = _folder(root)
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise DataError(f"cifar10: looked for {', '.join(missing)} in {folder}: not there; {GET_IT}")


def _split(root: Path, *, train: bool) -> Split:
    """Images (examples, 3, 32, 32), uint8. Torchvision checks the published MD5 of every file before it interprets one."""
    from torchvision import datasets

    with warnings.catch_warnings():
        # Python 2 wrote the files: NumPy warns of the `align=0` in them.
        warnings.filterwarnings("ignore", r"dtype\(\): align", np.exceptions.VisibleDeprecationWarning)
        read = datasets.CIFAR10(root, train=train)
    return Split(read.data.transpose(0, 3, 1, 2), np.asarray(read.targets, dtype=np.int64))


def _name_the_corrupt_file(folder: Path) -> None:
    """Look for the file that torchvision refused without naming it.

    Raises:
        DataError: its MD5 is not the published one.
    """
    from torchvision import datasets
    from torchvision.datasets.utils import calculate_md5

    published = datasets.CIFAR10
    for name, md5 in (*published.train_list, *published.test_list, (published.meta["filename"], published.meta["md5"])):
        path = folder / name
        if (found := calculate_md5(path)) != md5:
            raise DataError(f"cifar10: {path} is corrupt: its MD5 is {found}, the published one {md5}; delete it and {GET_IT}") from None


def _download(root: Path) -> None:
    from torchvision import datasets
    from torchvision.datasets.utils import download_and_extract_archive

    # CIFAR10(root, download=True) would also read what it has unpacked.
    published = datasets.CIFAR10
    download_and_extract_archive(published.url, root, filename=published.filename, md5=published.tgz_md5)


@dataset(
    info=DatasetInfo(n_classes=10, shape=(3, 32, 32), mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616), classes=_CLASSES),
    n_train=50_000,
    n_test=10_000,
    folder=_FOLDER,
    photographs=True,
    check=_check,
    download=_download,
)
@cache
def cifar10(root: Path | None) -> Dataset:
    """CIFAR-10, all of it."""
    _check(root)
    folder = _folder(root)
    try:
        return Dataset(train=_split(folder.parent, train=True), test=_split(folder.parent, train=False))
    except RuntimeError:
        _name_the_corrupt_file(folder)
        raise
