"""Torchvision's classification data sets, `torchvision:NAME`, from its own layout in the data root. Imports neither torch nor torchvision
before a set is read: what planning has to know stands in a table here."""

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from workers.components.facts import DatasetFacts
from workers.components.references import Referenced
from workers.data.loading.array_cache import cache_folder, cached_text
from workers.data.loading.file_digests import files_digest
from workers.data.loading.image_files import Channels, ImageSize, Pixels, fitted
from workers.data.loading.image_set import Listing, decoded
from workers.data.loading.source import GET_IT, Dataset
from workers.errors import DataError, first_line

EXAMPLE = "MNIST"
_ARCHIVES = (".gz", ".tar", ".tgz", ".zip")
_EVERY = 5


@dataclass(frozen=True)
class _Published:
    """A data set of torchvision: its folder in the data root, which holds loose files where torchvision has no folder for it (`loose`),
    its number of classes, size (None: images of several sizes) and channels, the names of the two splits (None: a switch `train`; empty:
    there are none, and every fifth image is tested on), and if a mirror keeps an image's class (`photographs`)."""

    folder: str
    n_classes: int
    size: int | None
    channels: Channels = 3
    splits: tuple[str, ...] | None = None
    loose: bool = False
    photographs: bool = True
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[dict[str, Any], ...]:
        """Arguments of torchvision's class for each split; one where there are no splits."""
        if self.splits is None:
            return tuple({"train": train, **self.also} for train in (True, False))
        return tuple({"split": split} for split in self.splits) or ({},)


_TEST, _TRAINVAL = ("train", "test"), ("trainval", "test")
_SETS: dict[str, _Published] = {
    "CIFAR10": _Published("cifar-10-batches-py", 10, 32),
    "CIFAR100": _Published("cifar-100-python", 100, 32),
    "Country211": _Published("country211", 211, None, splits=_TEST),
    "DTD": _Published("dtd", 47, None, splits=_TEST),
    "EMNIST": _Published("EMNIST", 47, 28, channels=1, photographs=False, also={"split": "balanced"}),
    "EuroSAT": _Published("eurosat", 10, 64, splits=()),
    "FGVCAircraft": _Published("fgvc-aircraft-2013b", 100, None, splits=_TRAINVAL),
    "FashionMNIST": _Published("FashionMNIST", 10, 28, channels=1),
    "Flowers102": _Published("flowers-102", 102, None, splits=_TEST),
    "Food101": _Published("food-101", 101, None, splits=_TEST),
    "GTSRB": _Published("gtsrb", 43, None, splits=_TEST, photographs=False),
    "Imagenette": _Published("imagenette2", 10, None, splits=("train", "val")),
    "KMNIST": _Published("KMNIST", 10, 28, channels=1, photographs=False),
    "MNIST": _Published("MNIST", 10, 28, channels=1, photographs=False),
    "OxfordIIITPet": _Published("oxford-iiit-pet", 37, None, splits=_TRAINVAL),
    "RenderedSST2": _Published("rendered-sst2", 2, None, splits=_TEST, photographs=False),
    "STL10": _Published("stl10_binary", 10, 96, splits=_TEST),
    "SVHN": _Published("svhn", 10, 32, splits=_TEST, loose=True, photographs=False),
    "USPS": _Published("usps", 10, 16, channels=1, loose=True, photographs=False),
}


def names() -> tuple[str, ...]:
    """The data sets that can be named."""
    return tuple(_SETS)


def resolve(name: str) -> Referenced[DatasetFacts]:
    """Torchvision's data set of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in _SETS:
        raise ValueError(f"one of {', '.join(_SETS)}")
    found = _OfTorchvision(name)
    return Referenced(found.factory(), found.facts)


@dataclass(frozen=True)
class _OfTorchvision:
    """One data set of torchvision."""

    name: str

    @property
    def published(self) -> _Published:
        return _SETS[self.name]

    @property
    def facts(self) -> DatasetFacts:
        return DatasetFacts(
            folder=self.published.folder,
            photographs=self.published.photographs,
            check=self.check,
            count=self.count,
            download=self.download,
            verify=self.verify,
            files=self.files,
            shape=lambda *, image_size, channels: (channels, image_size, image_size),
        )

    def factory(self) -> Any:
        """The function that reads it, whose defaults are the published images' own size and channels, or a size of 64."""
        size, colours = self.published.size or 64, self.published.channels

        def load(root: Path | None, *, image_size: ImageSize = size, channels: Channels = colours) -> Dataset:
            """One of torchvision's data sets; images of another size are resized by their shorter side, and their centre cropped."""
            return _loaded(self, self._place(root), self.digest(root), image_size, channels)

        return load

    def check(self, root: Path | None, **settings: object) -> None:  # noqa: ARG002 (they need no files)
        if not self.files(root):
            raise DataError(
                f"torchvision:{self.name}: looked for files in {self._place(root) / self.published.folder}: not there; {GET_IT}"
            )

    def count(self, root: Path | None, **settings: object) -> tuple[int | None, int | None]:  # noqa: ARG002
        """The sizes, once it has been read here."""
        try:
            listing = _listing_of(self._listing(root).read_text("utf-8"))
        except (OSError, ValueError):
            return None, None
        return len(listing.train), len(listing.test)

    def verify(self, root: Path | None, *, image_size: int, channels: Channels) -> None:
        self.factory()(root, image_size=image_size, channels=channels)

    def files(self, root: Path | None, **settings: object) -> tuple[str, ...]:  # noqa: ARG002
        """Its files, relative to the data root, without the archives that they come from."""
        place = self._place(root)
        found = sorted(path for path in (place / self.published.folder).rglob("*") if path.is_file())
        shown = (path.relative_to(place) for path in found if path.suffix not in _ARCHIVES)
        return tuple(path.as_posix() for path in shown if not any(part.startswith(".") for part in path.parts))

    def digest(self, root: Path | None) -> str:
        self.check(root)
        return files_digest(self._place(root), self.files(root), name=f"torchvision:{self.name}")

    def download(self, root: Path) -> None:
        for arguments in self.published.arguments:
            self._made(root, arguments, download=True)

    def splits(self, root: Path) -> "_Splits":
        """Both splits of the published set: torchvision's data sets, and the places in them."""
        made = [self._made(root, arguments) for arguments in self.published.arguments]
        if len(made) > 1:
            return tuple((one, range(len(one))) for one in made)
        places = range(len(made[0]))
        return (made[0], [place for place in places if place % _EVERY]), (made[0], places[::_EVERY])

    def _place(self, root: Path | None) -> Path:
        if root is None:
            where = f"--data DIR or ROBUSTSWEEP_DATA; DIR holds {self.published.folder}/"
            raise DataError(f"torchvision:{self.name}: no data folder given ({where}); {GET_IT}")
        return root

    def _listing(self, root: Path | None) -> Path:
        return cache_folder(self._place(root)) / f"torchvision-{self.name}-{self.digest(root)[:32]}.listing.json"

    def listing(self, root: Path) -> Listing:
        """Classes and labels, from the cache where they are there."""
        return _listing_of(cached_text(self._listing(root), lambda: _listing_text(self.splits(root), self.published.n_classes)))

    def _made(self, root: Path, arguments: Mapping[str, Any], **also: Any) -> Any:
        from torchvision import datasets

        place = root / self.published.folder if self.published.loose else root
        place.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            # Python 2 wrote CIFAR's files: NumPy warns of the `align=0` in them.
            warnings.filterwarnings("ignore", r"dtype\(\): align", np.exceptions.VisibleDeprecationWarning)
            return getattr(datasets, self.name)(place, **arguments, **also)


_Splits = tuple[tuple[Any, Any], ...]


def _listing_of(text: str) -> Listing:
    found = json.loads(text)
    return Listing(tuple(found["classes"]), *(np.array(found[split], dtype=np.int64) for split in ("train", "test")))


def _listing_text(splits: _Splits, n_classes: int) -> str:
    (first, _), _ = splits
    named = [str(name) for name in getattr(first, "classes", ())]
    classes = named if len(named) == n_classes else [str(number) for number in range(n_classes)]
    train, test = ([int(label) for label in np.asarray(_labels(one))[list(places)]] for one, places in splits)
    return json.dumps({"classes": classes, "train": train, "test": test})


def _labels(one: Any) -> Any:
    """The labels of a data set of torchvision, without decoding an image where it has them apart."""
    for name in ("targets", "labels", "_labels"):
        if (found := getattr(one, name, None)) is not None:
            return found
    return [label for _, label in getattr(one, "_samples", None) or (one[place] for place in range(len(one)))]


@lru_cache(maxsize=2)
def _loaded(found: _OfTorchvision, root: Path, digest: str, size: int, channels: Channels) -> Dataset:
    try:
        listing = found.listing(root)
        images = _images(found, root, size, channels)
        return decoded(root, f"torchvision-{found.name}", digest, listing, images, shape=(channels, size, size))
    except DataError:
        raise
    except Exception as error:  # each of torchvision's data sets has its own, and damaged files raise any
        raise DataError(f"torchvision:{found.name}: cannot be read from {root}: {first_line(error)}; {GET_IT}") from error


def _images(found: _OfTorchvision, root: Path, size: int, channels: Channels) -> Iterator[Pixels]:
    for one, places in found.splits(root):
        yield from (fitted(one[int(place)][0], size=size, channels=channels) for place in places)
