"""Data sets at a URL: fetched once into this machine's cache, whole or not at all, and again where the copy is damaged."""

import threading
from pathlib import Path

import fsspec
import numpy as np
import pytest

from tests.workers.data.picture_folder import make_folder
from tests.workers.small import data_set
from workers.components.component_registry import Component
from workers.components.facts import CodeSource as Provenance
from workers.components.facts import DatasetFacts
from workers.components.settings import Settings
from workers.data.loading import remote
from workers.data.loading.source import Dataset, DataSource, Split
from workers.errors import DataError, UserError

CONTENT = b"published"


class Counted:
    """A data set of one file whose published content is known; counts how often it is read."""

    def __init__(self) -> None:
        self.roots: list[Path | None] = []

    def load(self, root: Path | None) -> Dataset:
        self.roots.append(root)
        path = root / "set" / "deep" / "file"
        if path.read_bytes() != CONTENT:
            raise DataError(f"set: {path} is corrupt")
        split = Split(np.zeros((1, 1)), np.zeros(1, dtype=np.int64))
        return Dataset(split, split)

    @property
    def source(self) -> DataSource:
        facts = DatasetFacts(data_set("digits").info, n_train=7, n_test=8, folder="set", check=bool)
        return DataSource(Component("dataset", "counted", self.load, facts, Settings, Provenance()), Settings())


@pytest.fixture
def url(tmp_path, monkeypatch):
    """A data root at a URL, with a fresh cache on this machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    url = f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").pipe_file(f"/{tmp_path.name}/set/deep/file", CONTENT)
    return url


def cache(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache" / "robustsweep" / "data").glob("*/*"))


def test_a_data_set_is_fetched_once_and_then_read_from_the_cache(url, tmp_path):
    counted = Counted()
    remote.load(counted.source, url)
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)
    remote.load(counted.source, url)
    assert len(set(counted.roots)) == 1
    assert cache(tmp_path) == ["set", "set.lock"]


def test_a_damaged_copy_is_fetched_again(url, tmp_path):
    counted = Counted()
    remote.load(counted.source, url)
    (counted.roots[0] / "set" / "deep" / "file").write_bytes(b"rot")
    remote.load(counted.source, url)
    assert (counted.roots[0] / "set" / "deep" / "file").read_bytes() == CONTENT
    assert cache(tmp_path) == ["set", "set.lock"]


def test_damage_at_the_source_is_an_error_that_names_the_file(url, tmp_path):
    fsspec.filesystem("memory").pipe_file(f"/{tmp_path.name}/set/deep/file", b"rot")
    with pytest.raises(DataError, match=r"set/deep/file is corrupt"):
        remote.load(Counted().source, url)


def test_what_a_killed_fetch_left_is_neither_used_nor_kept(url, tmp_path):
    counted = Counted()
    remote.load(counted.source, url)
    here = counted.roots[0]
    (here / "set").rename(here / ".set.killed.tmp")
    remote.load(counted.source, url)
    assert cache(tmp_path) == ["set", "set.lock"]


def test_processes_that_need_it_at_once_get_it_whole(url):
    counted, failures = Counted(), []

    def fetch():
        try:
            remote.load(counted.source, url)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(counted.roots) == 8


def test_a_folder_that_is_not_there_is_named_before_anything_runs(url):
    with pytest.raises(DataError, match=f"^{url}: looked for cifar-10-batches-py/ in it: not there$"):
        remote.check(data_set("cifar10"), url)
    remote.check(Counted().source, url)
    remote.check(data_set("digits"), url)
    assert remote.sizes(Counted().source, url) == (7, 8)
    assert remote.sizes(data_set("speech_commands"), url) == (None, None)


def test_a_set_that_is_made_without_files_needs_no_url(url, tmp_path):
    assert len(remote.load(data_set("digits"), url).test) == 400
    assert cache(tmp_path) == []


def test_places_of_data_are_folders_or_urls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert remote.data_root(None) is None
    assert remote.data_root("data") == tmp_path / "data"
    assert remote.data_root("file:///shared/data") == Path("/shared/data")
    assert remote.data_root("s3://bucket/data") == "s3://bucket/data"
    with pytest.raises(UserError, match="file://data: must be file:///ABSOLUTE/PATH"):
        remote.data_root("file://data")


def test_a_folder_of_images_at_a_url_is_fetched_and_digested_and_fetched_again_when_it_has_changed(url, tmp_path):
    memory = fsspec.filesystem("memory")
    made = make_folder(tmp_path / "made")
    memory.put(str(made), f"/{tmp_path.name}/birds", recursive=True)
    birds = data_set("folder:birds", image_size=16)
    planned = remote.digest(birds, url)
    assert planned == birds.digest(tmp_path / "made")
    assert len(remote.load(birds, url, digest=planned).train) == 40
    memory.rm(memory.find(f"/{tmp_path.name}/birds/train/d0")[0])
    changed = remote.digest(birds, url)
    assert changed != planned
    assert len(remote.load(birds, url, digest=changed).train) == 39
    with pytest.raises(DataError, match="are not those of the plan"):
        remote.load(birds, url, digest=planned)
