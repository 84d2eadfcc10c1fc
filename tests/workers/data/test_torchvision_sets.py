"""Torchvision's data sets by name: downloaded from a web server on this machine, and read from torchvision's own layouts."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torchvision

from tests.workers.data.published import Website
from tests.workers.data.published_torchvision import make_gtsrb, make_usps, publish_eurosat, publish_fashion_mnist, publish_svhn
from tests.workers.data.torchvision_layouts import LAYOUTS, shade
from tests.workers.small import data_set
from workers.data.loading.download import download, lacks
from workers.errors import DataError
from workers.registry import DATASETS

PUBLISH = {"FashionMNIST": publish_fashion_mnist, "SVHN": publish_svhn, "EuroSAT": publish_eurosat}
SIZES = {"FashionMNIST": (30, 20), "SVHN": (20, 10), "EuroSAT": (40, 10)}
SHAPES = {"FashionMNIST": (1, 28, 28), "SVHN": (3, 32, 32), "EuroSAT": (3, 64, 64)}


@pytest.fixture
def website(tmp_path: Path) -> Iterator[Website]:
    with Website(tmp_path / "served").open() as site:
        yield site


@pytest.mark.parametrize("name", sorted(PUBLISH))
def test_a_data_set_is_downloaded_once_and_can_then_be_read(
    name: str, website: Website, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PUBLISH[name](website, monkeypatch)
    found, root = data_set(f"torchvision:{name}"), tmp_path / "data"
    assert lacks(found, root)
    download(found, root)
    assert website.asked
    website.asked.clear()
    download(found, root)
    assert not lacks(found, root)
    loaded = found.load(root)
    assert website.asked == []
    assert (len(loaded.train), len(loaded.test)) == found.sizes(root) == SIZES[name]
    info = found.info_of(loaded)
    assert (info.shape, info.n_classes, info.low, info.high) == (SHAPES[name], 10, 0, 1)
    assert set(loaded.test.labels.tolist()) == set(range(10))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_every_other_set_is_read_from_its_own_layout_and_not_downloaded_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LAYOUTS[name](tmp_path, monkeypatch)
    found = data_set(f"torchvision:{name}", image_size=8)
    assert not lacks(found, tmp_path)
    download(found, tmp_path)
    loaded = found.load(tmp_path)
    info, sizes = found.info_of(loaded), (len(loaded.train), len(loaded.test))
    batches = 5 if name == "CIFAR10" else 1
    assert found.sizes(tmp_path) == sizes == (2 * batches * info.n_classes, info.n_classes)
    for part in (loaded.train, loaded.test):
        assert part.inputs.shape[1:] == info.shape == ((1 if "MNIST" in name else 3), 8, 8)
        assert set(part.labels.tolist()) == set(range(info.n_classes))
        expected = [shade(label) for label in part.labels.tolist()]
        assert part.inputs.mean(axis=(1, 2, 3)) == pytest.approx(expected, abs=1.5)


def test_the_images_are_torchvisions(website: Website, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_svhn(website, monkeypatch)
    download(data_set("torchvision:SVHN"), tmp_path)
    theirs = torchvision.datasets.SVHN(tmp_path / "svhn", split="test")
    ours = data_set("torchvision:SVHN").load(tmp_path).test
    assert np.array_equal(ours.inputs, theirs.data)
    assert ours.labels.tolist() == theirs.labels.tolist()


def test_images_of_several_sizes_and_classes_are_read_at_the_size_asked_for(tmp_path: Path) -> None:
    make_gtsrb(tmp_path)
    loaded = data_set("torchvision:GTSRB", image_size=32, channels=1).load(tmp_path)
    assert loaded.train.inputs.shape == loaded.test.inputs.shape == (43, 1, 32, 32)
    assert loaded.info is not None
    assert loaded.info.n_classes == 43
    assert loaded.test.labels.tolist() == list(range(43))


def test_every_fifth_image_of_a_set_without_splits_is_tested_on(website: Website, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_eurosat(website, monkeypatch)
    download(data_set("torchvision:EuroSAT"), tmp_path)
    loaded = data_set("torchvision:EuroSAT", image_size=8).load(tmp_path)
    greens = [int(image[1].mean().round()) for image in loaded.train.inputs[:4]]
    assert greens == pytest.approx([20, 40, 60, 80], abs=4)
    assert loaded.test.labels.tolist() == list(range(10))


def test_a_set_that_is_not_there_or_damaged_is_one_line_that_says_how_to_get_it(tmp_path: Path) -> None:
    usps = data_set("torchvision:USPS")
    with pytest.raises(DataError, match=r"torchvision:USPS: looked for files in .*usps: not there; get it with: .* --download"):
        usps.check(tmp_path)
    make_usps(tmp_path)
    assert usps.digest(tmp_path) is not None
    assert len(usps.load(tmp_path).train) == 20
    (tmp_path / "usps" / "usps.bz2").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"^torchvision:USPS: cannot be read from .*; get it with: ") as refused:
        usps.verify(tmp_path)
    assert "\n" not in str(refused.value)


def test_an_unknown_name_is_refused_with_the_closest() -> None:
    with pytest.raises(ValueError, match=r"dataset 'torchvision:SVNH': one of CIFAR10, .*, SVHN, USPS \(did you mean torchvision:SVHN\?\)"):
        DATASETS["torchvision:SVNH"]
