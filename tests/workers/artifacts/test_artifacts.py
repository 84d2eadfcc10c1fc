"""Artifacts in a folder, and what the operating system may do to them; what every place promises is in `tests/contracts`."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import evaluate_job, flags_result, pretrain_job, train_result
from tests.kept_files import job_folder
from workers.artifacts.artifacts import Artifacts, stored_name
from workers.artifacts.storage import local
from workers.artifacts.storage.local import LocalStorage
from workers.errors import ArtifactError, StorageError, SupersededError, UserError

JOB = pretrain_job()
CONTENT = b"weights" * 1000


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def full_disk(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_kept_file_is_named_after_its_content_and_its_sha256_returned(tmp_path):
    digest = Artifacts(tmp_path).folder("key").write("model.safetensors", CONTENT)
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert names(tmp_path / "key") == [f"model.{digest[:16]}.safetensors"]
    assert (tmp_path / "key" / stored_name("model.safetensors", digest)).read_bytes() == CONTENT


def test_a_file_whose_disk_is_full_is_named_and_leaves_neither_itself_nor_a_temporary_one(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StorageError, match=f"^{tmp_path}/key/checkpoint: no space left on device$"):
        Artifacts(tmp_path).folder("key").save("checkpoint", CONTENT)
    assert names(tmp_path / "key") == []


def test_a_failing_write_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    folder = Artifacts(tmp_path).folder("key")
    folder.save("checkpoint", b"old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StorageError, match="no space left"):
        folder.save("checkpoint", CONTENT)
    assert folder.saved("checkpoint") == b"old"


def test_what_is_half_written_has_a_hidden_name_with_the_attempts_id(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.extend(names(tmp_path / "key")))
    Artifacts(tmp_path).folder("key", attempt="a7").save("checkpoint", CONTENT)
    assert seen == [".checkpoint.a7.tmp"]


def test_beginning_writes_the_job_and_clears_what_killed_attempts_left(tmp_path):
    artifacts = Artifacts(tmp_path)
    folder = job_folder(tmp_path, JOB.key)
    folder.mkdir(parents=True)
    (folder / ".model.safetensors.killed.tmp").write_bytes(b"half")
    (folder / "checkpoint").write_bytes(b"kept: the next attempt goes on from it")
    artifacts.folder(JOB.key).begin(JOB)
    assert names(folder) == ["attempt", "checkpoint", "job.json"]
    assert artifacts.job(JOB.key) == JOB


def test_an_attempt_frozen_while_it_writes_finds_that_a_newer_one_cleared_that_away(tmp_path, monkeypatch):
    artifacts = Artifacts(tmp_path)
    old = artifacts.folder(JOB.key, attempt="old")
    old.begin(JOB)
    flush = os.fsync

    def frozen(descriptor):
        flush(descriptor)
        monkeypatch.setattr(os, "fsync", flush)
        artifacts.folder(JOB.key, attempt="new").begin(JOB)

    monkeypatch.setattr(os, "fsync", frozen)
    with pytest.raises(SupersededError):
        old.write("model.safetensors", CONTENT)
    assert names(job_folder(tmp_path, JOB.key)) == ["attempt", "job.json"]


def test_a_failing_commit_leaves_the_job_unfinished(tmp_path, monkeypatch):
    job = evaluate_job(JOB)
    folder = Artifacts(tmp_path).folder(job.key)
    folder.begin(job)
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StorageError, match="no space left"):
        folder.commit(flags_result(job))
    assert Artifacts(tmp_path).finished() == frozenset()
    assert names(job_folder(tmp_path, job.key)) == ["attempt", "job.json"]


def test_a_result_that_cannot_be_read_just_now_is_not_taken_for_damaged(tmp_path, monkeypatch):
    artifacts = Artifacts(tmp_path)
    folder = artifacts.folder(JOB.key, attempt="a1")
    folder.begin(JOB)
    folder.commit(train_result(JOB))
    read = Path.read_bytes

    def stale(path):
        if path.name == "result.json":
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", stale)
    with pytest.raises(StorageError, match="input/output error"):
        artifacts.damage(JOB.key)
    with pytest.raises(StorageError):
        artifacts.folder(JOB.key, attempt="a2").begin(JOB)
    monkeypatch.undo()
    assert artifacts.finished() == {JOB.key}


def test_without_hard_links_a_file_is_still_created_once(tmp_path, monkeypatch):
    def refused(path, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    storage = LocalStorage(tmp_path)
    assert [storage.create("key/file", content, attempt="a") for content in (b"1", b"2")] == [True, False]
    assert (storage.read("key/file"), names(tmp_path / "key")) == (b"1", ["file"])


def test_stray_files_and_folders_are_no_jobs(tmp_path):
    (tmp_path / "stray file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd" / "result.json").mkdir(parents=True)
    assert Artifacts(tmp_path).finished() == frozenset()
    assert Artifacts(tmp_path).all_keys() == []
    assert Artifacts(tmp_path / "none").finished() == frozenset()


def test_a_file_url_is_the_folder(tmp_path):
    Artifacts(tmp_path).folder("key").save("file", CONTENT)
    found = Artifacts(f"file://{tmp_path}")
    assert found.folder("key").saved("file") == CONTENT
    assert found.url == str(tmp_path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file://shared/sweeps", r"^file://shared/sweeps: must be file:///ABSOLUTE/PATH$"),
        ("nosuch://bucket/x", r"^nosuch://bucket/x: Protocol not known: nosuch; give a path, s3://BUCKET/PREFIX"),
    ],
)
def test_a_place_that_is_none_is_an_error_that_names_it_and_says_what_would_be(url, message):
    with pytest.raises(UserError, match=message):
        Artifacts(url)


@pytest.mark.parametrize(("url", "advice"), [("s3://bucket/x", "'robustsweep[s3]'"), ("gs://bucket/x", "gcsfs")])
def test_a_missing_package_is_one_line_that_says_what_to_install(url, advice):
    hidden = (
        "import sys; sys.modules['s3fs'] = sys.modules['gcsfs'] = None; import workers.artifacts.artifacts as a; a.Artifacts(sys.argv[1])"
    )
    ended = subprocess.run([sys.executable, "-c", hidden, url], capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1].endswith(f"{url}: the package for {url[:2]}:// is not installed: pip install {advice}")


def test_a_file_that_vanishes_while_a_folder_is_listed_is_left_out(tmp_path, monkeypatch):
    """Two sweeps share a job: one attempt's temporary file goes while the other lists them."""
    for name in ("stays", ".result.json.other.tmp"):
        (tmp_path / name).write_bytes(b"12")
    storage, entries = LocalStorage(tmp_path.parent), local._entries

    def vanishing(folder):
        found = entries(folder)
        (folder / ".result.json.other.tmp").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(local, "_entries", vanishing)
    assert storage.files(tmp_path.name) == {"stays": 2}


def test_a_result_of_endless_brackets_is_damaged(tmp_path):
    path = tmp_path / ("0" * 64) / "result.json"
    path.parent.mkdir()
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(ArtifactError, match="is unreadable"):
        Artifacts(tmp_path).result("0" * 64)
