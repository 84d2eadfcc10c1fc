"""Pipes, sockets and devices in the places of files: to open a pipe waits for ever, and `/dev/zero` does not end."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.store.maintenance.archive_format import read_manifest
from search_spaces import load_space
from tests.builders import pretrain_job, train_result
from tests.kept_files import job_folder
from workers.__main__ import _read as read_job
from workers.artifacts.artifacts import Artifacts
from workers.data.loading.wav import read_samples
from workers.errors import UserError
from workers.plugins import load_plugins

JOB = pretrain_job()


@pytest.fixture(params=["pipe", "socket", "device"])
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Path]]:
    """Put into the place of a file what is none."""
    opened = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path)  # a socket's name is short

    def put(path: Path) -> Path:
        if request.param == "pipe":
            os.mkfifo(path)
        elif request.param == "socket":
            opened.bind("socket")
            Path("socket").rename(path)
        else:
            path.symlink_to("/dev/zero")
        return path

    yield put
    opened.close()


READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "space.yaml": (lambda path: load_space(str(path)), "neither a file nor a built-in space"),
    "plugin.py": (lambda path: load_plugins([path]), "not a file"),
    "job.json": (read_job, "not a file"),
    "clip.wav": (read_samples, "not a file"),
    "manifest.json": (lambda path: read_manifest(path.parent), "not a file"),
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_refused_in_one_line(name: str, tmp_path: Path, odd: Callable[[Path], Path]) -> None:
    read, said = READERS[name]
    path = odd(tmp_path / name)
    with pytest.raises(UserError, match=said) as error:
        read(path)
    assert "\n" not in str(error.value)


def test_a_job_whose_result_and_files_are_none_is_not_done_and_is_computed_again(tmp_path: Path, odd: Callable[[Path], Path]) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    (folder := job_folder(tmp_path / "artifacts", JOB.key)).mkdir(parents=True)
    odd(folder / "result.json")
    if (folder / "result.json").is_fifo():
        for name in ("checkpoint", "attempt", "job.json"):
            odd(folder / name)
    assert artifacts.finished() == frozenset()
    attempt = artifacts.folder(JOB.key, attempt="new")
    attempt.begin(JOB)
    assert attempt.saved("checkpoint") is None
    attempt.save("checkpoint", b"epoch 1")
    attempt.commit(train_result(JOB))
    assert artifacts.finished() == {JOB.key}
    assert artifacts.damage(JOB.key) is None
