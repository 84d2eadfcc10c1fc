"""Folders of images as data sets: what is read, what is refused in one line, and what changes the digest in the jobs' keys."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.workers.data.picture_folder import make_folder
from tests.workers.small import data_set
from workers.data.loading.image_files import fitted, read_image
from workers.data.loading.image_set import _statistics
from workers.data.loading.remote import digest as remote_digest
from workers.data.loading.remote import load
from workers.errors import DataError
from workers.registry import DATASETS

SMALL = data_set("folder:birds", image_size=16, channels=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_folder(tmp_path)
    return tmp_path


def first(folder: Path) -> Path:
    return sorted(folder.rglob("*.png"))[0]


def test_classes_and_their_number_come_from_the_folders_and_the_normalisation_from_the_training_images(root: Path) -> None:
    loaded = SMALL.load(root)
    info = SMALL.info_of(loaded)
    assert (info.classes, info.n_classes, info.shape, info.low, info.high) == (("d0", "d1", "d2", "d3"), 4, (1, 16, 16), 0, 1)
    assert (len(loaded.train), len(loaded.test)) == SMALL.sizes(root) == (40, 20)
    assert loaded.train.labels.tolist() == sorted(loaded.train.labels.tolist())
    assert info.mean == pytest.approx([loaded.train.inputs.mean() / 255])
    assert info.std == pytest.approx([loaded.train.inputs.std() / 255])


def test_images_are_those_of_the_files_resized_and_cropped_to_the_centre(root: Path) -> None:
    loaded = SMALL.load(root)
    found = first(root / "birds" / "train" / "d0")
    with Image.open(found) as image:
        expected = image.resize((16, 19), Image.Resampling.BILINEAR).crop((0, 1, 16, 17))
    assert np.array_equal(loaded.train.inputs[0, 0], np.asarray(expected))
    assert loaded.train.is_mapped


def test_a_constant_channel_has_no_deviation_of_zero() -> None:
    mean, std = _statistics(np.full((3, 1, 4, 4), 51, dtype=np.uint8))
    assert (mean, std) == ([0.2], [pytest.approx(1 / 255)])


@pytest.mark.parametrize(("mode", "value", "expected"), [("L", 77, 77), ("I;16", 77 * 256, 77), ("RGB", (77, 77, 77), 77), ("P", 77, 77)])
def test_every_kind_of_image_becomes_bytes_of_the_channels_asked_for(mode: str, value: int, expected: int) -> None:
    image = Image.new("L", (8, 8), 77).convert("P") if mode == "P" else Image.new(mode, (8, 8), value)
    for channels in (1, 3):
        pixels = fitted(image, size=8, channels=channels)
        assert pixels.shape == (channels, 8, 8)
        assert (pixels == expected).all()


def test_hidden_files_and_folders_and_files_next_to_the_classes_are_left_out(root: Path) -> None:
    before = SMALL.digest(root)
    (root / "birds" / "train" / ".cache").mkdir()
    (root / "birds" / "test" / "d0" / ".DS_Store").write_bytes(b"x")
    (root / "birds" / "train" / "labels.csv").write_text("x")
    (root / "birds" / "train" / "d1" / "Thumbs.db").write_bytes(b"x")
    (root / "birds" / "test" / "d1" / "desktop.ini").write_bytes(b"")
    (root / "birds" / "train" / "__MACOSX").mkdir()
    assert SMALL.sizes(root) == (40, 20)
    assert SMALL.digest(root) == before


def damage(folder: Path, what: str) -> None:
    match what:
        case "blank":
            first(folder / "test" / "d1").write_bytes(b"")
        case "notes":
            (folder / "train" / "d1" / "README.txt").write_text("no image")
        case _:
            _damage(folder, what)


def _damage(folder: Path, what: str) -> None:
    match what:
        case "split":
            shutil.rmtree(folder / "test")
        case "val":
            (folder / "test").rename(folder / "val")
        case "class":
            shutil.rmtree(folder / "test" / "d2")
        case "empty":
            (folder / "train" / "d9").mkdir()
        case "one":
            for number in (1, 2, 3):
                shutil.rmtree(folder / "train" / f"d{number}")
                shutil.rmtree(folder / "test" / f"d{number}")
        case "nested":
            (folder / "train" / "d1" / "more").mkdir()
        case "text":
            first(folder / "train" / "d1").write_text("no image")
        case "truncated":
            found = first(folder / "test" / "d1")
            found.write_bytes(found.read_bytes()[:60])


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("split", r"looked for classes in .*birds/test: not there; there are train$"),
        ("val", r"birds/test: not there; there are train, val; data\.evaluated: val tests on val$"),
        ("class", r"birds/test lacks class d2, which the other split has"),
        ("empty", r"train/d9 has no image"),
        ("one", r"has 1 class, d0: must be at least 2"),
        ("nested", r"d1/more is a folder; images stand in their class's folder itself"),
        ("blank", r"test/d1/.*\.png: is empty"),
        ("notes", r"train/d1/README\.txt: is no image that Pillow knows"),
    ],
)
def test_a_folder_that_is_no_data_set_is_one_line_before_anything_is_read(root: Path, what: str, expected: str) -> None:
    damage(root / "birds", what)
    with pytest.raises(DataError, match=expected) as refused:
        SMALL.check(root)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("what", "expected"), [("text", r"\.png: is no image that Pillow knows"), ("truncated", r"\.png: cannot be read: ")]
)
def test_an_image_that_cannot_be_read_is_named(root: Path, what: str, expected: str) -> None:
    damage(root / "birds", what)
    SMALL.check(root)
    with pytest.raises(DataError, match=expected):
        SMALL.verify(root)


def test_the_split_to_test_on_can_be_the_validation_split(tmp_path: Path) -> None:
    make_folder(tmp_path, splits=("train", "val"))
    assert len(data_set("folder:birds", evaluated="val").load(tmp_path).test) == 20


@pytest.mark.parametrize("name", ["..", "a/b", ".hidden", "/abs", ""])
def test_only_a_folder_in_the_data_root_can_be_named(name: str) -> None:
    assert DATASETS.find(f"folder:{name}") is None


def test_the_digest_follows_contents_and_names_and_not_times(root: Path) -> None:
    one = first(root / "birds" / "train" / "d0")
    before = SMALL.digest(root)
    os.utime(one, ns=(1, 1))
    assert SMALL.digest(root) == before == remote_digest(SMALL, root)
    content = one.read_bytes()
    one.write_bytes(first(root / "birds" / "train" / "d1").read_bytes())
    changed = SMALL.digest(root)
    one.write_bytes(content)
    assert SMALL.digest(root) == before != changed
    one.rename(one.with_name("zzz.png"))
    assert SMALL.digest(root) not in (before, changed)


def test_a_file_is_read_again_only_when_its_size_or_time_has_changed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in root.rglob("*.png"):
        os.utime(path, ns=(10**18, 10**18))
    before = SMALL.digest(root)
    monkeypatch.setattr("workers.data.loading.file_digests.open_regular", lambda path: pytest.fail(f"{path} was read"))
    assert SMALL.digest(root) == before


def test_other_files_than_those_of_the_plan_are_refused(root: Path) -> None:
    planned = SMALL.digest(root)
    load(SMALL, root, digest=planned)
    first(root / "birds" / "test" / "d0").unlink()
    with pytest.raises(DataError, match=r"folder:birds: its files in .* are not those of the plan"):
        load(SMALL, root, digest=planned)


def test_a_changed_image_is_decoded_again(root: Path) -> None:
    before = SMALL.load(root).train.inputs[0].copy()
    shutil.copy(first(root / "birds" / "train" / "d3"), first(root / "birds" / "train" / "d0"))
    assert not np.array_equal(SMALL.load(root).train.inputs[0], before)


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: cannot be read: is a pipe, not a file"):
        read_image(tmp_path / "a.png", size=8, channels=1)
