"""`launch --download`: data sets come into the data root before the first job runs, and `plan` and `doctor` say so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.launching.launch import LaunchOptions, launch
from orchestrator.paths import Paths
from tests.commands import robustsweep, write_space
from tests.workers.data.published import CIFAR_ARCHIVE, SPEECH_ARCHIVE, Website, publish
from tests.workers.data.published_torchvision import publish_fashion_mnist
from workers.errors import DataError, UserError

SPEECH = """
data: {name: speech_commands}
model: {name: soundnet5, width: 1, tensorized: false}
training: {epochs: 1, batch_size: 16}
evaluation: {examples: 12}
"""
CIFAR10 = """
data: {name: cifar10, train_examples: 20}
model: {width: 1, tensorized: false}
training: {epochs: 1, batch_size: 10}
evaluation: {examples: 10}
"""
FASHION = """
data: {name: "torchvision:FashionMNIST", image_size: 16}
model: {width: 1, tensorized: false}
training: {epochs: 1, batch_size: 10}
evaluation: {examples: 10}
"""
GET_IT = "get it with: robustsweep launch SPACE --data DIR --download"


@pytest.fixture
def website(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Website]:
    (tmp_path / "made").mkdir()
    with Website(tmp_path / "served").open() as site:
        publish(site, tmp_path / "made", monkeypatch)
        yield site


def launched(folder: Path, text: str, *, data: str | None, download: bool = True) -> tuple[int, str]:
    """The exit code, and what was said."""
    places = Paths.resolve(home=folder / "sweeps", store=None, data=data)
    console = Console(record=True, width=200)
    options = LaunchOptions(str(write_space(folder, text)), places, executor="inline", download=download)
    return launch(options, console), console.export_text()


@pytest.mark.parametrize(("text", "archive"), [(SPEECH, SPEECH_ARCHIVE), (CIFAR10, CIFAR_ARCHIVE)], ids=["speech_commands", "cifar10"])
def test_a_launch_gets_the_data_and_trains_on_them(text: str, archive: str, website: Website, tmp_path: Path) -> None:
    root = tmp_path / "data"
    code, said = launched(tmp_path, text, data=str(root))
    assert code == 0, said
    assert f": downloading to {root}" in said
    assert set(website.asked) == {archive}
    website.asked.clear()
    code, said = launched(tmp_path, text, data=str(root))
    assert (code, website.asked, "downloading" in said) == (0, [], False)


def test_a_set_of_torchvision_is_got_before_its_digest_becomes_part_of_the_keys(
    website: Website, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_fashion_mnist(website, monkeypatch)
    root = str(tmp_path / "data")
    with pytest.raises(DataError, match=rf"torchvision:FashionMNIST: looked for files in .*; {GET_IT}"):
        launched(tmp_path, FASHION, data=root, download=False)
    code, said = launched(tmp_path, FASHION, data=root)
    assert (code, f": downloading to {root}" in said) == (0, True)
    website.asked.clear()
    code, said = launched(tmp_path, FASHION, data=root, download=False)
    assert (code, website.asked, "nothing to do" in said) == (0, [], True)


def test_without_the_option_nothing_is_fetched_and_the_message_names_it(website: Website, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=GET_IT):
        launched(tmp_path, CIFAR10, data=str(tmp_path / "data"), download=False)
    assert not website.asked


@pytest.mark.parametrize(("data", "expected"), [(None, "no data folder given"), ("s3://bucket/data", "--data s3://bucket/data: is a URL")])
def test_a_place_that_cannot_be_downloaded_to_is_refused(data: str | None, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^--download: {expected}; give a folder"):
        launched(tmp_path, CIFAR10, data=data)


def test_nothing_is_downloaded_for_data_that_are_made_here(website: Website, tmp_path: Path) -> None:
    code, _ = launched(tmp_path, CIFAR10.replace("cifar10", "digits"), data=str(tmp_path / "data"))
    assert (code, website.asked) == (0, [])


def test_plan_and_doctor_say_how_to_get_what_is_missing(tmp_path: Path) -> None:
    space = write_space(tmp_path, CIFAR10)
    planned = robustsweep("plan", space, "--data", "data", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    examined = robustsweep("doctor", space, "--data", "data", cwd=tmp_path)
    for output in (planned.stdout, examined.stdout):
        said = " ".join(output.split())
        assert (
            f"looked for data_batch_1, data_batch_2, data_batch_3, data_batch_4, data_batch_5, test_batch, batches.meta in {tmp_path}"
            in said
        )
        assert GET_IT in said
