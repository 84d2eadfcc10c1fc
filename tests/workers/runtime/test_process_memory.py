"""The limit on a job's memory: what is over it ends, alone and with its reason."""

import threading
import time
from pathlib import Path

import pytest

from orchestrator.cli.launch import memory_bytes
from orchestrator.executors.base import Resources
from orchestrator.executors.process_executor import process_slots
from tests.commands import robustsweep, rows, write_space
from workers.errors import ShortOfMemoryError, UserError
from workers.runtime.process_memory import limited_memory, memory_taken

MEGABYTE = 10**6
PLUGIN = """
import time
import robustsweep as rs

@rs.model()
def greedy(info, *, megabytes: int = 0):
    import math
    import torch
    held = torch.ones(megabytes * 250_000)
    time.sleep(1.0 if megabytes else 0.0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(math.prod(info.shape), info.n_classes + 0 * len(held)))
"""
SPACE = """
plugins: [nets.py]
data: {name: digits, train_examples: 64}
model: {name: greedy, megabytes: [0, 3000], tensorized: false}
training: {epochs: 1, batch_size: 32}
evaluation: {examples: 12, batch_size: 6, repeats: 1}
attacks: [{attack: fgsm, epsilon: 8/255}]
"""


def take(megabytes: int) -> list[bytes]:
    held = []
    for _ in range(megabytes):
        held.append(b"x" * MEGABYTE)
        time.sleep(0.001)
    return held


def test_what_takes_more_than_it_may_is_interrupted_and_what_follows_is_not() -> None:
    with (
        pytest.raises(ShortOfMemoryError, match=r"^its process took \d\.\d\d GB of memory, --memory-per-job allows \d\.\d\d GB$"),
        limited_memory(memory_taken() + 100 * MEGABYTE),
    ):
        take(2000)
    with limited_memory(memory_taken() + 500 * MEGABYTE):
        assert len(take(10)) == 10
    assert all(thread.name != "memory" for thread in threading.enumerate())  # no thread is left that could interrupt late


def test_a_size_is_read_with_its_unit() -> None:
    assert [memory_bytes(size) for size in ("4GB", "512 MiB", "1.5g" + "b", "1000", None)] == [4 * 10**9, 2**29, 15 * 10**8, 1000, None]
    with pytest.raises(UserError, match=r"^--memory-per-job 4X: must be a size above 0, such as 4GB, 512MiB or a number of bytes$"):
        memory_bytes("4X")


def test_as_many_jobs_run_at_once_as_fit_into_the_memory() -> None:
    assert process_slots(Resources(memory_per_job=10**15)) == 1


@pytest.mark.slow
def test_a_job_that_needs_more_fails_with_that_reason_and_nothing_else_is_lost(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(PLUGIN)
    space = write_space(tmp_path, SPACE)
    done = robustsweep("launch", space, "--executor", "inline", "--memory-per-job", "2500MB", "--max-failures", "0", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert {row["attack"] for row in rows(tmp_path)} == {"fgsm"}
    failed = robustsweep("status", "tiny", "--failed", cwd=tmp_path).stdout
    assert "GB of memory, --memory-per-job allows 2.50 GB" in failed
    assert "sweep tiny: 3 of 6 jobs done, 1 failed, 2 blocked; see: " in done.stdout
