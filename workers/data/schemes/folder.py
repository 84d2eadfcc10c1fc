"""Folders of images, `folder:NAME`: `ROOT/NAME/{train,val,test}/CLASS/*`. Imports no torch."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from workers.components.facts import DatasetFacts
from workers.components.references import Referenced
from workers.data.loading.file_digests import files_digest
from workers.data.loading.image_files import Channels, ImageSize, read_image, require_image
from workers.data.loading.image_set import Listing, decoded
from workers.data.loading.source import Dataset
from workers.errors import DataError, os_reason

TestFolder = Literal["test", "val"]
EXAMPLE = "NAME"
_HIDDEN_ELSEWHERE = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin"})
"""Names, in small letters, of what Windows and macOS hide in folders of images."""
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]*")


def names() -> tuple[str, ...]:
    """No names: any folder may be a data set."""
    return ()


def resolve(name: str) -> Referenced[DatasetFacts]:
    """The data set in the folder of that name in the data root.

    Raises:
        ValueError: it is no name of a folder in the data root.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("must name a folder in the data root: letters, digits, '.', '_', '-' and spaces, a letter, digit or '_' first")
    folder = _Folder(name)
    return Referenced(folder.load, folder.facts)


@dataclass(frozen=True)
class _Folder:
    """One folder of images."""

    name: str

    @property
    def facts(self) -> DatasetFacts:
        return DatasetFacts(
            folder=self.name,
            photographs=True,
            check=self.check,
            count=self.count,
            verify=self.verify,
            files=self.files,
            shape=_shape,
        )

    def load(self, root: Path | None, *, image_size: ImageSize = 64, channels: Channels = 3, evaluated: TestFolder = "test") -> Dataset:
        """Images in a folder: their shorter side is resized to `image_size`, their centre cropped; `evaluated` is the split to test on."""
        found = self._listed(root, evaluated)
        files = found.paths
        digest = files_digest(found.root, files, name=f"folder:{self.name}")
        return _loaded(found, digest, image_size, channels)

    def check(self, root: Path | None, *, evaluated: TestFolder, **others: object) -> None:  # noqa: ARG002 (they need no files)
        found = self._listed(root, evaluated)
        for path in found.paths:
            _require_likely_image(found.root / path)

    def count(self, root: Path | None, *, evaluated: TestFolder, **others: object) -> tuple[int, int]:  # noqa: ARG002
        found = self._listed(root, evaluated)
        return len(found.train), len(found.test)

    def verify(self, root: Path | None, *, image_size: int, channels: Channels, evaluated: TestFolder) -> None:
        self.load(root, image_size=image_size, channels=channels, evaluated=evaluated)

    def files(self, root: Path | None, *, evaluated: TestFolder, **others: object) -> tuple[str, ...]:  # noqa: ARG002
        return self._listed(root, evaluated).paths

    def _listed(self, root: Path | None, evaluated: str) -> "_Files":
        """The files of both splits.

        Raises:
            DataError: a split, a class or an image is missing, or something is there that does not belong there.
        """
        place = f"{self.name}/train/CLASS/* and {self.name}/{evaluated}/CLASS/*"
        if root is None:
            raise DataError(f"folder:{self.name}: no data folder given (--data DIR or ROBUSTSWEEP_DATA; DIR holds {place})")
        train, test = (self._split(root, split) for split in ("train", evaluated))
        for here, there, split in ((train, test, evaluated), (test, train, "train")):
            if absent := sorted(here.keys() - there.keys()):
                raise DataError(f"folder:{self.name}: {root / self.name / split} lacks class {absent[0]}, which the other split has")
        if len(train) < 2:  # noqa: PLR2004 (nothing to tell apart)
            raise DataError(
                f"folder:{self.name}: {root / self.name / 'train'} has {len(train)} class, {next(iter(train))}: must be at least 2"
            )
        return _Files(root, self.name, tuple(train), _paired(train), _paired(test))

    def _split(self, root: Path, split: str) -> dict[str, list[str]]:
        """The images of a split by class, all sorted, as paths relative to the data root."""
        folder = root / self.name / split
        try:
            named = [entry.name for entry in _shown(folder) if entry.is_dir()]
            classes = {name: self._images(root, f"{self.name}/{split}/{name}") for name in named}
        except (FileNotFoundError, NotADirectoryError):
            others = [name for name in ("train", "val", "test") if (root / self.name / name).is_dir()]
            there = f"; there are {', '.join(others)}" if others else ""
            also = "; data.evaluated: val tests on val" if split == "test" and "val" in others else ""
            raise DataError(f"folder:{self.name}: looked for classes in {folder}: not there{there}{also}") from None
        except OSError as error:
            raise DataError(f"{error.filename}: {os_reason(error)}") from error
        if not classes:
            raise DataError(f"folder:{self.name}: looked for classes in {folder}: none there")
        return classes

    def _images(self, root: Path, where: str) -> list[str]:
        """The images of a class, as paths relative to the data root; `where` is its folder's."""
        found = _shown(root / where)
        if strange := next((entry.path for entry in found if entry.is_dir()), None):
            raise DataError(f"folder:{self.name}: {strange} is a folder; images stand in their class's folder itself")
        if not found:
            raise DataError(f"folder:{self.name}: {root / where} has no image")
        return [f"{where}/{entry.name}" for entry in found]


@dataclass(frozen=True)
class _Files:
    """Files of a folder of images: the class names, and (path relative to the data root, label) of each example of both splits."""

    root: Path
    name: str
    classes: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...]

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for path, _ in (*self.train, *self.test))


def _shape(*, image_size: int, channels: int, **others: object) -> tuple[int, int, int]:  # noqa: ARG001
    return channels, image_size, image_size


def _shown(folder: Path) -> list[os.DirEntry[str]]:
    """Entries of a folder that are not hidden, by name: file managers and notebooks leave hidden files behind."""
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not _is_hidden(entry.name)), key=lambda entry: entry.name)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _HIDDEN_ELSEWHERE


def _require_likely_image(path: Path) -> None:
    """Check what costs little of many files: that one is not empty, and that one without the name of an image is one.

    Raises:
        DataError: it is empty, or no image.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if size == 0:
        raise DataError(f"{path}: is empty")
    if path.suffix.lower() not in _IMAGES:
        require_image(path)


def _paired(split: dict[str, list[str]]) -> tuple[tuple[str, int], ...]:
    return tuple((path, label) for label, paths in enumerate(split.values()) for path in paths)


@lru_cache(maxsize=2)
def _loaded(found: _Files, digest: str, size: int, channels: Channels) -> Dataset:
    listing = Listing(found.classes, *(np.array([label for _, label in split], dtype=np.int64) for split in (found.train, found.test)))
    return decoded(found.root, f"folder-{found.name}", digest, listing, _images(found, size, channels), shape=(channels, size, size))


def _images(found: _Files, size: int, channels: Channels) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    return (read_image(found.root / path, size=size, channels=channels) for path in found.paths)
