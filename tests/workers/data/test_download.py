"""Downloads by torchvision and torchaudio from a web server on this machine: whole or not at all, and nothing else is touched."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.workers.data.published import CIFAR_ARCHIVE, SPEECH_ARCHIVE, Website, publish
from tests.workers.data.speech_root import clip_name
from tests.workers.small import data_set
from workers.data.loading.download import download, lacks
from workers.errors import DataError

CIFAR10, SPEECH = data_set("cifar10"), data_set("speech_commands")
ARCHIVES = {"cifar10": CIFAR_ARCHIVE, "speech_commands": SPEECH_ARCHIVE}
BOTH = pytest.mark.parametrize("name", sorted(ARCHIVES))


@pytest.fixture
def website(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Website]:
    (tmp_path / "made").mkdir()
    with Website(tmp_path / "served").open() as site:
        publish(site, tmp_path / "made", monkeypatch)
        yield site


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "not" / "yet"


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.suffix not in (".lock", ".npy")}


@BOTH
def test_a_data_set_is_downloaded_once_and_can_then_be_read(name: str, website: Website, root: Path) -> None:
    assert lacks(data_set(name), root)
    download(data_set(name), root)
    assert set(website.asked) == {ARCHIVES[name]}
    website.asked.clear()
    download(data_set(name), root)
    assert website.asked == []
    assert not lacks(data_set(name), root)
    assert files(root) == {found for found in files(root.parents[1] / "made") if found.startswith(data_set(name).folder)}
    assert len(data_set(name).load(root).test) == {"cifar10": 10, "speech_commands": 12}[name]


def test_cifar10s_images_are_those_of_the_archive(website: Website, root: Path) -> None:
    download(CIFAR10, root)
    train = CIFAR10.load(root).train
    assert train.labels.tolist() == [*range(10)] * 5
    expected = np.random.default_rng(1).integers(256, size=(10, 3072), dtype=np.uint8)
    assert np.array_equal(train.inputs[10:20].reshape(10, 3072), expected)


@pytest.mark.parametrize("lost", ["data_batch_3", "batches.meta"])
def test_a_lost_file_comes_back_and_other_files_stay(lost: str, website: Website, root: Path) -> None:
    download(CIFAR10, root)
    (root / CIFAR10.folder / lost).unlink()
    (root / CIFAR10.folder / "notes").write_text("mine")
    download(CIFAR10, root)
    CIFAR10.load(root)
    assert (root / CIFAR10.folder / "notes").read_text() == "mine"


def test_a_lost_clip_comes_back_and_lists_and_silence_of_ones_own_stay(website: Website, root: Path) -> None:
    download(SPEECH, root)
    clips = root / "SpeechCommands" / "speech_commands_v0.02"
    (clips / clip_name("up", 5)).unlink()
    shutil.rmtree(clips / "yes")
    for own in (clips / "resplit_testing_list.txt", clips.parent / "silence_test_v0.02" / "0.wav"):
        own.parent.mkdir(exist_ok=True)
        own.write_text("mine")
    download(SPEECH, root)
    assert (clips / clip_name("up", 5)).is_file()
    assert SPEECH.sizes(root) == (48, 12)
    assert (clips / "resplit_testing_list.txt").read_text() == (clips.parent / "silence_test_v0.02" / "0.wav").read_text() == "mine"


@BOTH
def test_an_archive_that_is_not_the_published_one_leaves_nothing(name: str, website: Website, root: Path) -> None:
    archive = website.folder / ARCHIVES[name]
    archive.write_bytes(archive.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match=f"^{data_set(name).folder}: cannot be downloaded to {root}: .*(corrupted|hash)") as caught:
        download(data_set(name), root)
    assert "\n" not in str(caught.value)
    assert files(root) == set()


@BOTH
def test_a_server_that_has_no_such_file_is_one_line(name: str, website: Website, root: Path) -> None:
    (website.folder / ARCHIVES[name]).unlink()
    with pytest.raises(DataError, match=f"cannot be downloaded to {root}: HTTP Error 404"):
        download(data_set(name), root)
    assert files(root) == set()


def test_a_root_that_is_a_file_is_one_line(website: Website, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be downloaded"):
        download(CIFAR10, tmp_path / "file")


def test_what_a_killed_download_left_is_cleared(website: Website, root: Path) -> None:
    leftover = root / f".{CIFAR10.folder}.killed.tmp"
    leftover.mkdir(parents=True)
    download(CIFAR10, root)
    assert not leftover.exists()
    assert not list(root.glob("*.tmp"))


@pytest.mark.parametrize("name", ["digits", "tones"])
def test_a_set_that_is_made_here_lacks_nothing(name: str, root: Path) -> None:
    assert not lacks(data_set(name), root)
    download(data_set(name), root)
