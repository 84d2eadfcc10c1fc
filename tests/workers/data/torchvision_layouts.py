"""Small stand-ins for data sets of torchvision, each in the layout in which its class reads it.

Every image is plain, `shade(label)`: so it can be seen whose label it has.
"""

import json
import pickle
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torchvision
from PIL import Image

from tests.workers.data.published import digest_of

Make = Callable[[Path, pytest.MonkeyPatch], None]
PARTS = (("train", 2), ("test", 1))
"""The splits, and the number of examples of each class."""


def shade(label: int) -> int:
    """The value of the pixels of an image of a class."""
    return label % 64 * 4


def labels(classes: int, each: int) -> list[int]:
    return [label for _ in range(each) for label in range(classes)]


def write(path: Path, label: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (10, 8), (shade(label),) * 3).save(path)


def plain(found: list[int], shape: tuple[int, ...]) -> np.ndarray:
    return np.array([np.full(shape, shade(label)) for label in found], dtype=np.uint8)


def text(path: Path, lines: Iterator[str] | list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def cifar(name: str, folder: str, files: tuple[list[str], list[str]], meta: tuple[str, str], key: str, classes: int) -> Make:
    def make(root: Path, patch: pytest.MonkeyPatch) -> None:
        kind, place = getattr(torchvision.datasets, name), root / folder
        place.mkdir()
        for attribute, parts, (_, each) in zip(("train_list", "test_list"), files, PARTS, strict=True):
            for part in parts:
                content = {"data": plain(labels(classes, each), (3072,)), key: labels(classes, each)}
                (place / part).write_bytes(pickle.dumps(content))
            patch.setattr(kind, attribute, [[part, digest_of(place / part, "md5")] for part in parts])
        (place / meta[0]).write_bytes(pickle.dumps({meta[1]: [f"class {label}" for label in range(classes)]}))
        patch.setattr(kind, "meta", {"filename": meta[0], "key": meta[1], "md5": digest_of(place / meta[0], "md5")})

    return make


def idx(folder: str, classes: int, *, prefixes: tuple[str, str] = ("train", "t10k")) -> Make:
    """The files of MNIST and its like."""

    def make(root: Path, _: pytest.MonkeyPatch) -> None:
        (place := root / folder / "raw").mkdir(parents=True)
        for prefix, (_, each) in zip(prefixes, PARTS, strict=True):
            found = labels(classes, each)
            for kind, values in (("images-idx3", plain(found, (28, 28))), ("labels-idx1", np.array(found, dtype=np.uint8))):
                head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
                (place / f"{prefix}-{kind}-ubyte").write_bytes(head + values.tobytes())

    return make


def class_folders(folder: str, names: list[str], *, parts: tuple[str, str], suffix: str = "png") -> Make:
    def make(root: Path, _: pytest.MonkeyPatch) -> None:
        for part, (_, each) in zip(parts, PARTS, strict=True):
            for place, label in enumerate(labels(len(names), each)):
                write(root / folder / part / names[label] / f"{place}.{suffix}", label)

    return make


def dtd(root: Path, _: pytest.MonkeyPatch) -> None:
    for part, each in PARTS:
        names = [(f"texture{label:02d}", f"{part}{place}.jpg", label) for place, label in enumerate(labels(47, each))]
        text(root / "dtd" / "dtd" / "labels" / f"{part}1.txt", [f"{name}/{file}" for name, file, _ in names])
        for name, file, label in names:
            write(root / "dtd" / "dtd" / "images" / name / file, label)


def fgvc_aircraft(root: Path, _: pytest.MonkeyPatch) -> None:
    data = root / "fgvc-aircraft-2013b" / "data"
    text(data / "variants.txt", [f"plane {label}" for label in range(100)])
    for part, (_, each) in zip(("trainval", "test"), PARTS, strict=True):
        found = labels(100, each)
        text(data / f"images_variant_{part}.txt", [f"{part}{place} plane {label}" for place, label in enumerate(found)])
        for place, label in enumerate(found):
            write(data / "images" / f"{part}{place}.jpg", label)


def flowers(root: Path, patch: pytest.MonkeyPatch) -> None:
    place = root / "flowers-102"
    found = labels(102, 3)
    for number, label in enumerate(found, 1):
        write(place / "jpg" / f"image_{number:05d}.jpg", label)
    scipy.io.savemat(place / "imagelabels.mat", {"labels": np.array(found) + 1})
    scipy.io.savemat(place / "setid.mat", {"trnid": np.arange(1, 205), "valid": np.array([1]), "tstid": np.arange(205, 307)})
    files = {kind: (name, digest_of(place / name, "md5")) for kind, name in (("label", "imagelabels.mat"), ("setid", "setid.mat"))}
    patch.setattr(torchvision.datasets.Flowers102, "_file_dict", {"image": ("102flowers.tgz", ""), **files})


def food(root: Path, _: pytest.MonkeyPatch) -> None:
    for part, each in PARTS:
        named = {f"dish{label:03d}": [f"dish{label:03d}/{part}{place}" for place in range(each)] for label in range(101)}
        text(root / "food-101" / "meta" / f"{part}.json", [json.dumps(named)])
        for label, images in enumerate(named.values()):
            for image in images:
                write(root / "food-101" / "images" / f"{image}.jpg", label)


def pets(root: Path, _: pytest.MonkeyPatch) -> None:
    place = root / "oxford-iiit-pet"
    for part, (_, each) in zip(("trainval", "test"), PARTS, strict=True):
        found = [(f"pet{label}_{number}{part}", label) for number, label in enumerate(labels(37, each))]
        text(place / "annotations" / f"{part}.txt", [f"{image} {label + 1} {label % 2 + 1} 1" for image, label in found])
        for image, label in found:
            write(place / "images" / f"{image}.jpg", label)


def stl(root: Path, patch: pytest.MonkeyPatch) -> None:
    (place := root / "stl10_binary").mkdir()
    for part, each in PARTS:
        plain(labels(10, each), (3, 96, 96)).tofile(place / f"{part}_X.bin")
        (np.array(labels(10, each), dtype=np.uint8) + 1).tofile(place / f"{part}_y.bin")
    (place / "unlabeled_X.bin").write_bytes(b"")
    text(place / "class_names.txt", [f"class {label}" for label in range(10)])
    for attribute, parts in (("train_list", ("train_X", "train_y", "unlabeled_X")), ("test_list", ("test_X", "test_y"))):
        files = [[f"{part}.bin", digest_of(place / f"{part}.bin", "md5")] for part in parts]
        patch.setattr(torchvision.datasets.STL10, attribute, files)


LAYOUTS: dict[str, Make] = {
    "CIFAR10": cifar(
        "CIFAR10",
        "cifar-10-batches-py",
        ([f"data_batch_{number}" for number in range(1, 6)], ["test_batch"]),
        ("batches.meta", "label_names"),
        "labels",
        10,
    ),
    "CIFAR100": cifar("CIFAR100", "cifar-100-python", (["train"], ["test"]), ("meta", "fine_label_names"), "fine_labels", 100),
    "Country211": class_folders("country211", [f"C{label:03d}" for label in range(211)], parts=("train", "test")),
    "DTD": dtd,
    "EMNIST": idx("EMNIST", 47, prefixes=("emnist-balanced-train", "emnist-balanced-test")),
    "FGVCAircraft": fgvc_aircraft,
    "Flowers102": flowers,
    "Food101": food,
    "Imagenette": class_folders(
        "imagenette2", sorted(torchvision.datasets.Imagenette._WNID_TO_CLASS), parts=("train", "val"), suffix="JPEG"
    ),
    "KMNIST": idx("KMNIST", 10),
    "MNIST": idx("MNIST", 10),
    "OxfordIIITPet": pets,
    "RenderedSST2": class_folders("rendered-sst2", ["negative", "positive"], parts=("train", "test")),
    "STL10": stl,
}
