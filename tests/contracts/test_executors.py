"""What every executor promises: the same results to the last bit, failures that stay where they are, nothing left over."""

import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.commands import TINY, TINY_JOBS, attempts, robustsweep, rows, stored_flags, write_space

EXECUTORS = {
    "inline": ["--executor", "inline"],
    "processes": ["--executor", "processes", "--workers", "2"],
    "ray": ["--executor", "ray", "--workers", "2"],
    "ray, one worker": ["--executor", "ray", "--workers", "1"],
}

SHADOWS = ("workers", "numpy", "pprint", "random", "ray", "torch")  # modules lying where the launch is

Finished = tuple[Path, subprocess.CompletedProcess[str]]


def launched(folder: Path, executor: str) -> Finished:
    for name in SHADOWS:
        (folder / f"{name}.py").write_text("raise SystemExit('imported from the folder of the launch')\n")
    return folder, robustsweep("launch", write_space(folder), *EXECUTORS[executor], cwd=folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Finished]:
    return cache(lambda executor: launched(tmp_path_factory.mktemp("executor"), executor))


EACH = ["inline", "processes", "ray", pytest.param("ray, one worker", marks=pytest.mark.slow)]


@pytest.mark.parametrize("executor", EACH)
def test_every_job_is_done_once_and_the_program_says_so(executor: str, finished: Callable[[str], Finished]) -> None:
    folder, done = finished(executor)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"all {sum(TINY_JOBS.values())} jobs done" in done.stdout
    assert done.stderr == ""
    assert [outcomes for outcomes in attempts(folder).values() if outcomes != ["done"]] == []
    assert len(attempts(folder)) == sum(TINY_JOBS.values())


@pytest.mark.parametrize("executor", EACH[1:])
def test_results_are_the_same_to_the_last_bit(executor: str, finished: Callable[[str], Finished]) -> None:
    (folder, _), (reference, _) = finished(executor), finished("inline")
    assert stored_flags(folder) == stored_flags(reference)
    assert rows(folder) == rows(reference)
    models = sorted(path.relative_to(reference) for path in reference.glob("sweeps/artifacts/*/*/*.safetensors"))
    assert models
    for path in models:
        assert (folder / path).read_bytes() == (reference / path).read_bytes()


@pytest.mark.parametrize("executor", EACH)
def test_nothing_but_artifacts_is_left(executor: str, finished: Callable[[str], Finished]) -> None:
    folder, _ = finished(executor)
    assert {path.name for path in (folder / "sweeps").iterdir()} <= {"artifacts", "results.db", "results.db-wal", "results.db-shm"}
    names = {re.sub(r"\.[0-9a-f]{16}\.", ".", path.name) for path in folder.glob("sweeps/artifacts/[!.]*/*/*")}
    assert names == {"job.json", "result.json", "model.safetensors", "examples.safetensors"}


@pytest.mark.parametrize("executor", ["inline", *(pytest.param(name, marks=pytest.mark.slow) for name in ("processes", "ray"))])
def test_a_failing_job_is_tried_again_then_given_up_and_the_rest_goes_on(executor: str, tmp_path: Path) -> None:
    text = TINY.replace("epochs: 2", "epochs: 2, learning_rate: [0.1, 1e18]").replace("[1.0, 0.8]", "1.0").replace("[fgsm, pgd]", "fgsm")
    done = robustsweep("launch", write_space(tmp_path, text), *EXECUTORS[executor], "--max-failures", "1", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    failing = [outcomes for outcomes in attempts(tmp_path).values() if "done" not in outcomes]
    assert failing == [["failed", "failed"]]
    assert len(rows(tmp_path)) == 3
    shown = robustsweep("status", "tiny", "--failed", cwd=tmp_path).stdout
    assert "JobError: epoch 1: the training loss is nan" in shown
    assert "Traceback (most recent call last)" in shown
