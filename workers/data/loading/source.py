"""Interface of every data set, and the fixed order in which its subsets are taken."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.components.component_registry import Component
from workers.components.facts import DatasetFacts, DatasetInfo
from workers.components.settings import Settings
from workers.data.loading.file_digests import files_digest
from workers.data.loading.given_examples import Arrays, MapStyle, as_arrays, checked, derived_info, require_modality
from workers.errors import DataError, UserError, describe
from workers.spec.component import DataSpec
from workers.spec.fields import ExampleOrder

GET_IT = "get it with: robustsweep launch SPACE --data DIR --download"


@dataclass(frozen=True)
class Split:
    """Inputs (examples, *shape) and labels (examples,) of type int64. Inputs are float32 in input units, or coded: uint8 images
    stand for [0, 1] (divide by 255), int16 waveforms for [-1, 1) (divide by 32,768)."""

    inputs: NDArray[Any]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def arrays(self) -> Arrays:
        return self.inputs, self.labels

    def first(self, count: int | None, *, order: ExampleOrder = "balanced") -> "Split":
        """The first `count` examples of the fixed class-balanced order, or of the files'; all, in file order, where `count` is None.

        Raises:
            ValueError: there are fewer.
        """
        chosen = self.places(count, order=order)
        return self if chosen is None else self.at(chosen)

    def at(self, places: NDArray[np.int64]) -> "Split":
        """The examples at these places, in their order."""
        return Split(self.inputs[places], self.labels[places])

    def places(self, count: int | None, *, order: ExampleOrder = "balanced") -> NDArray[np.int64] | None:
        """The places in the files of the examples that `first` returns; None for all."""
        return None if count is None else first_places(self.labels, count, order)

    @property
    def is_mapped(self) -> bool:
        """True where the inputs are those of a memory-mapped file."""
        return isinstance(self.inputs, np.memmap)


Examples = Split | tuple[Any, Any] | MapStyle
"""A split, a pair (inputs, labels) of arrays or tensors, or a map-style data set of PyTorch."""


@dataclass(frozen=True, init=False)
class Dataset:
    """A training and a test split, and its info where that is no fact of its component; a validation split where it was published with one
    (a function returns it where that takes time).

    Each split may be given as a `Split`, as a pair (inputs, labels) of arrays or tensors, or as a map-style data set of PyTorch, of
    pairs of an example and a label or, as Hugging Face has them, rows of two columns, one of them `label`. Without an info, the
    component's counts, or else the one that its examples imply.

    Raises:
        DataError: these are no examples with one label each.
    """

    train: Split
    test: Split
    info: DatasetInfo | None
    _validation: "Examples | Callable[[], Examples] | None"

    def __init__(
        self,
        train: Examples,
        test: Examples,
        *,
        info: DatasetInfo | None = None,
        validation: "Examples | Callable[[], Examples] | None" = None,
    ) -> None:
        for name, value in (("train", _split(train)), ("test", _split(test)), ("info", info), ("_validation", validation)):
            object.__setattr__(self, name, value)

    @property
    def validation(self) -> Split | None:
        """The validation split that it was published with; None without one."""
        found = self._validation() if callable(self._validation) else self._validation
        return None if found is None else _split(found)


def _split(given: Examples) -> Split:
    return given if isinstance(given, Split) else Split(*as_arrays(given))


@dataclass(frozen=True)
class DataSource:
    """A data set with its settings, to be checked, counted and loaded from a data root."""

    component: Component[DatasetFacts]
    settings: Settings

    @property
    def info(self) -> DatasetInfo | None:
        """Info that is a fact of its component; None where it is known once the data are read (see `info_of`)."""
        return self.component.facts.info

    def info_of(self, loaded: Dataset) -> DatasetInfo:
        """Info of the data set as it was read: as stated, else as its examples imply.

        Raises:
            DataError: they imply none.
        """
        stated = self.info or loaded.info
        return derived_info(loaded.train.arrays, loaded.test.arrays) if stated is None else stated

    @property
    def folder(self) -> str:
        """Folder that it needs in a data root; empty for a set that is made without files."""
        return self.component.facts.folder

    def check(self, root: Path | None) -> None:
        """Look for its files, quickly and without reading them.

        Raises:
            DataError: some are missing.
        """
        if self._told("check", root) is None and self.component.facts.files is not None and root is None:
            raise DataError(f"dataset {self.component.name}: reads files, and no data root is given: --data DIR names one")

    def verify(self, root: Path | None) -> None:
        """Read all files that have not been read yet, and check that they can be used.

        Raises:
            DataError: some are missing, or one cannot be used.
        """
        self.check(root)
        self._told("verify", root)

    def digest(self, root: Path | None) -> str | None:
        """The digest of its files, where they are part of a job's key; None where they are not.

        Raises:
            DataError: they are, and some are missing or cannot be read.
        """
        if self.component.facts.files is None or root is None:
            return None
        self.check(root)
        return files_digest(root, _relative(self._told("files", root), root), name=self.component.name)

    @property
    def download(self) -> Callable[[Path], None] | None:
        """Puts the published files into an empty data root, after their checksum (see `workers.data.loading.download`)."""
        return self.component.facts.download

    def load(self, root: Path | None) -> Dataset:
        """Read and verify it.

        Raises:
            DataError: files are missing or damaged.
        """
        loaded = self.component.create(root, **dict(self.settings))
        return loaded if self.component.digest is None else self._of_a_plugin(loaded)

    def _of_a_plugin(self, loaded: Any) -> Dataset:
        """Value that a user's component has returned: a data set, or a pair of splits."""
        if isinstance(loaded, tuple) and len(loaded) == 2:  # noqa: PLR2004
            loaded = Dataset(*loaded)
        if not isinstance(loaded, Dataset):
            raise DataError(f"dataset {self.component.name}: returned {type(loaded).__name__}, must be a Dataset or a pair (train, test)")
        info = self.info_of(loaded)
        require_modality(self.component.name, info, self.component.facts.modality)
        splits = [split for split in (loaded.train, loaded.test, loaded.validation) if split is not None]
        for inputs, labels in (checked(split.arrays) for split in splits):
            if inputs.shape[1:] != info.shape:
                raise DataError(f"dataset {self.component.name}: examples of shape {inputs.shape[1:]}, its info says {info.shape}")
            if labels.max() >= info.n_classes:
                raise DataError(f"dataset {self.component.name}: label {labels.max()}, its info says {info.n_classes} classes")
        return Dataset(loaded.train, loaded.test, info=info, validation=loaded.validation)

    def sizes(self, root: Path | None) -> tuple[int | None, int | None]:
        """The numbers of training and test examples; None where they depend on the files and no root is given."""
        facts = self.component.facts
        if facts.count is None or root is None:
            return facts.n_train, facts.n_test
        counted: tuple[int, int] = self._told("count", root)
        return counted

    def _told(self, fact: str, root: Path | None) -> Any:
        """Return what the function (root, **settings) that is this fact of its component tells; None without one.

        Raises:
            UserError: the function, of a plugin, fails.
        """
        if (function := getattr(self.component.facts, fact)) is None:
            return None
        try:
            return function(root, **dict(self.settings))
        except Exception as error:
            if isinstance(error, UserError) or self.component.digest is None:
                raise
            raise UserError(
                f"dataset {self.component.name} ({self.component.place}): {fact}(root, **settings): {describe(error)}"
            ) from error


def _relative(files: Iterable[str | Path], root: Path) -> Iterator[str]:
    """Yield the files' paths relative to a data root, on which no key may depend."""
    return (os.path.relpath(file, root) if Path(file).is_absolute() else str(file) for file in files)


def source(spec: DataSpec) -> DataSource:
    """The data set that a spec names."""
    return DataSource(spec.component, spec.settings)


def first_places(labels: NDArray[np.int64], count: int, order: ExampleOrder) -> NDArray[np.int64]:
    """Indices of the first `count` examples in an order; a longer subset starts with the shorter one.

    Raises:
        ValueError: there are fewer than `count` examples.
    """
    if order == "balanced":
        return balanced_subset(labels, count)
    first = _first_places(len(labels), count)
    return random_order(len(labels))[:count] if order == "random" else first


def random_order(count: int) -> NDArray[np.int64]:
    """Indices of `count` examples in the order `random`: one permutation for each number of examples, on every machine."""
    return np.random.RandomState(0).permutation(count).astype(np.int64)  # its stream is frozen


def balanced_subset(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices of `count` examples, the classes taking turns, each class in file order; a longer subset starts with the shorter one.

    Raises:
        ValueError: there are fewer than `count` examples.
    """
    _first_places(len(labels), count)
    by_class = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[by_class], labels[by_class])
    turn = np.empty(len(labels), dtype=np.int64)
    turn[by_class] = np.arange(len(labels)) - starts
    return np.lexsort((labels, turn))[:count]


def _first_places(there: int, count: int) -> NDArray[np.int64]:
    """Indices of the first `count` of as many examples as are there.

    Raises:
        ValueError: there are fewer.
    """
    if count > there:
        raise ValueError(f"{count} examples asked for: the split has {there}")
    return np.arange(count)
