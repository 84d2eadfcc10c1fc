import errno
import hashlib
import os

import pytest

from tests.builders import evaluate_job, flags_result, pretrain_job, train_result
from workers.artifacts import Artifacts
from workers.errors import ArtifactError

JOB = pretrain_job()
CONTENT = b"weights" * 1000


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def finished_job(root, *, files=None):
    """An artifact of a finished training job with a model file."""
    folder = Artifacts(root).folder(JOB.key, attempt="a1")
    folder.begin(JOB)
    digests = {"model.safetensors": folder.write("model.safetensors", CONTENT)}
    folder.commit(train_result(JOB).model_copy(update={"files": digests if files is None else files}))
    return root / JOB.key


def full_disk(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_written_file_is_whole_and_its_sha256_returned(tmp_path):
    digest = Artifacts(tmp_path).folder("key").write("file", CONTENT)
    assert (tmp_path / "key" / "file").read_bytes() == CONTENT
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert names(tmp_path / "key") == ["file"]


def test_a_failing_write_leaves_neither_the_file_nor_a_temporary_one(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        Artifacts(tmp_path).folder("key").write("file", CONTENT)
    assert names(tmp_path / "key") == []


def test_a_failing_write_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    folder = Artifacts(tmp_path).folder("key")
    folder.write("file", b"old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        folder.write("file", CONTENT)
    assert (tmp_path / "key" / "file").read_bytes() == b"old"


def test_what_is_half_written_has_a_hidden_name_with_the_attempts_id(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.extend(names(tmp_path / "key")))
    Artifacts(tmp_path).folder("key", attempt="a7").write("file", CONTENT)
    assert seen == [".file.a7.tmp"]


def test_beginning_writes_the_job_and_clears_what_killed_attempts_left(tmp_path):
    artifacts = Artifacts(tmp_path)
    folder = tmp_path / JOB.key
    folder.mkdir()
    (folder / ".model.safetensors.killed.tmp").write_bytes(b"half")
    (folder / "checkpoint").write_bytes(b"kept: the next attempt goes on from it")
    artifacts.folder(JOB.key).begin(JOB)
    assert names(folder) == ["checkpoint", "job.json"]
    assert artifacts.job(JOB.key) == JOB


def test_a_committed_result_is_read_back_equal(tmp_path):
    finished_job(tmp_path)
    artifacts = Artifacts(tmp_path)
    result = artifacts.result(JOB.key)
    assert result.model_copy(update={"files": {}}) == train_result(JOB)
    assert artifacts.read(JOB.key, "model.safetensors") == CONTENT


def test_a_flipped_byte_is_found_and_the_path_named(tmp_path):
    path = finished_job(tmp_path) / "model.safetensors"
    path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=rf"{path} is corrupt .* delete {path.parent} to compute it again"):
        Artifacts(tmp_path).read(JOB.key, "model.safetensors")


def test_a_file_that_is_gone_is_an_error_that_names_it(tmp_path):
    path = finished_job(tmp_path) / "model.safetensors"
    path.unlink()
    with pytest.raises(ArtifactError, match=f"{path}"):
        Artifacts(tmp_path).read(JOB.key, "model.safetensors")


def test_a_file_that_the_result_does_not_vouch_for_is_not_read(tmp_path):
    finished_job(tmp_path, files={})
    with pytest.raises(ArtifactError, match=r"model\.safetensors"):
        Artifacts(tmp_path).read(JOB.key, "model.safetensors")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"{}", b'{"key": 1}'])
def test_an_unreadable_result_is_an_error_of_one_line_that_names_it(tmp_path, content):
    path = finished_job(tmp_path) / "result.json"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{path} is unreadable") as caught:
        Artifacts(tmp_path).result(JOB.key)
    assert "\n" not in str(caught.value)


def test_no_result_is_an_error_that_names_the_folder(tmp_path):
    with pytest.raises(ArtifactError, match=f"no result in {tmp_path / JOB.key}"):
        Artifacts(tmp_path).result(JOB.key)


def test_another_jobs_result_is_refused(tmp_path):
    other = evaluate_job(JOB)
    finished_job(tmp_path).rename(tmp_path / other.key)
    with pytest.raises(ArtifactError, match=f"holds the result of job {JOB.key}"):
        Artifacts(tmp_path).result(other.key)


def test_another_jobs_spec_is_refused(tmp_path):
    other = evaluate_job(JOB)
    finished_job(tmp_path).rename(tmp_path / other.key)
    with pytest.raises(ArtifactError, match=f"holds job {JOB.key}"):
        Artifacts(tmp_path).job(other.key)


@pytest.mark.parametrize("content", [None, b"{", b"{}"])
def test_a_missing_or_unreadable_job_is_an_error_of_one_line_that_names_it(tmp_path, content):
    path = finished_job(tmp_path) / "job.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{path} is unreadable") as caught:
        Artifacts(tmp_path).job(JOB.key)
    assert "\n" not in str(caught.value)


def test_finished_are_the_folders_with_a_result_and_no_others(tmp_path):
    artifacts = Artifacts(tmp_path)
    finished_job(tmp_path)
    begun = evaluate_job(JOB)
    artifacts.folder(begun.key).begin(begun)
    (tmp_path / "stray file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd" / "result.json").mkdir(parents=True)
    assert artifacts.finished() == {JOB.key}


def test_no_root_means_nothing_is_finished(tmp_path):
    assert Artifacts(tmp_path / "none").finished() == frozenset()


def test_a_failing_commit_leaves_the_job_unfinished(tmp_path, monkeypatch):
    job = evaluate_job(JOB)
    folder = Artifacts(tmp_path).folder(job.key)
    folder.begin(job)
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        folder.commit(flags_result(job))
    assert Artifacts(tmp_path).finished() == frozenset()
    assert names(tmp_path / job.key) == ["job.json"]
