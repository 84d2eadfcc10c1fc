"""Stand-ins for published data sets of torchvision, in their own layouts, some of them served on this machine."""

import bz2
import gzip
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torchvision
from PIL import Image

from tests.workers.data.published import Website, digest_of


def publish_fashion_mnist(site: Website, patch: pytest.MonkeyPatch, *, train: int = 30, test: int = 20) -> None:
    """Serve a small Fashion-MNIST, and make it the one that torchvision looks for."""
    site.folder.mkdir(exist_ok=True)
    resources = []
    for part, count in (("train", train), ("t10k", test)):
        images = np.random.default_rng(count).integers(256, size=(count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, values in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            path = site.folder / f"{name}.gz"
            path.write_bytes(gzip.compress(struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()))
            resources.append((path.name, digest_of(path, "md5")))
    patch.setattr(torchvision.datasets.FashionMNIST, "mirrors", [f"{site.address}/"])
    patch.setattr(torchvision.datasets.FashionMNIST, "resources", resources)


def publish_svhn(site: Website, patch: pytest.MonkeyPatch) -> None:
    """Serve a small SVHN, and make it the one that torchvision looks for."""
    site.folder.mkdir(exist_ok=True)
    found = {}
    for part, count in (("train", 20), ("test", 10)):
        path = site.folder / f"{part}_32x32.mat"
        images = np.random.default_rng(count).integers(256, size=(32, 32, 3, count), dtype=np.uint8)
        scipy.io.savemat(path, {"X": images, "y": (np.arange(count) % 10 + 1)[:, None]})
        found[part] = [f"{site.address}/{path.name}", path.name, digest_of(path, "md5")]
    patch.setattr(torchvision.datasets.SVHN, "split_list", found)


def publish_eurosat(site: Website, patch: pytest.MonkeyPatch) -> None:
    """Serve a small EuroSAT as torchvision's own download gets it: an archive of class folders."""
    site.folder.mkdir(exist_ok=True)
    archive = site.folder / "EuroSAT.zip"
    names = [f"class{number}" for number in range(10)]
    with zipfile.ZipFile(archive, "w") as zipped:
        for number, name in enumerate(names):
            for place in range(5):
                image = Image.new("RGB", (64, 64), (10 * number, 20 * place, 0))
                image.save(site.folder / "one.jpg")
                zipped.write(site.folder / "one.jpg", f"2750/{name}/{place}.jpg")
    download = torchvision.datasets.eurosat.download_and_extract_archive

    def from_site(*_: object, download_root: str, **__: object) -> None:
        download(f"{site.address}/EuroSAT.zip", download_root=download_root, md5=digest_of(archive, "md5"))

    patch.setattr(torchvision.datasets.eurosat, "download_and_extract_archive", from_site)


def make_usps(root: Path) -> None:
    """Write a small USPS where it is read from."""
    (folder := root / "usps").mkdir(parents=True)
    for name, count in (("usps.bz2", 20), ("usps.t.bz2", 10)):
        values = np.random.default_rng(count).uniform(-1, 1, (count, 256))
        lines = (f"{row % 10 + 1} " + " ".join(f"{at + 1}:{value:.3f}" for at, value in enumerate(line)) for row, line in enumerate(values))
        (folder / name).write_bytes(bz2.compress("\n".join(lines).encode()))


def make_gtsrb(root: Path) -> None:
    """Write a small GTSRB, whose images have several sizes, where it is read from."""
    folder = root / "gtsrb"
    (tests := folder / "GTSRB" / "Final_Test" / "Images").mkdir(parents=True)
    rows = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for sign in range(43):
        (place := folder / "GTSRB" / "Training" / f"{sign:05d}").mkdir(parents=True)
        Image.new("RGB", (30 + sign, 40), (sign, 0, 0)).save(place / "0.ppm")
        Image.new("RGB", (40, 30 + sign), (sign, 0, 0)).save(tests / f"{sign:05d}.ppm")
        rows.append(f"{sign:05d}.ppm;40;40;0;0;0;0;{sign}")
    (folder / "GT-final_test.csv").write_text("\n".join(rows))
