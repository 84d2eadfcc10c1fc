"""Start of a launch against the import of PyTorch that its first job cannot do without; and quickstart against the time of its jobs."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Record
from tests.commands import PROGRAM, environment, write_space
from tests.faults.processes import wait_for
from tests.faults.sweeps import Sweep

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
ONE_LONG_JOB = """
data: {name: digits, train_examples: 32}
model: {width: 2, tensorized: false}
training: {epochs: 100000, batch_size: 32}
evaluation: {examples: 4, batch_size: 4}
attacks: []
"""


def seconds_to_first_job(folder: Path, *options: str) -> float:
    """Wall seconds from the command to the begin of the first job, as its folder shows."""
    sweep = Sweep.make(folder, ONE_LONG_JOB, *options)
    start = time.perf_counter()
    with sweep.launched() as launch:
        wait_for(lambda: any(sweep.artifacts.glob("*/*/job.json")) or not launch.running, every=0.005, what="the first job")
        return time.perf_counter() - start


def test_the_first_job_runs_soon_after_the_command(tmp_path: Path, record: Record) -> None:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    bare = time.perf_counter() - start
    for name in ("processes", "ray"):
        found = seconds_to_first_job(tmp_path / name, "--executor", name)
        reference = f"importing PyTorch in a bare interpreter, {bare:.1f} s; the launch took {found:.1f} s"
        record(
            f"from the command to the first job, --executor {name}",
            found / bare,
            asked="<= 3, and 4 s on two quiet cores",
            reference=reference,
        )


_TIMED = ("trained_models", "clean_results", "crafted_examples", "attack_results", "diagnoses")
_SECONDS = " UNION ALL ".join(f"SELECT seconds FROM {table}" for table in _TIMED)


def test_quickstart_against_its_jobs(tmp_path: Path, record: Record) -> None:
    """Each job computes on one core: half of their seconds is what two cores need at least."""
    start = time.perf_counter()
    subprocess.run([*PROGRAM, "launch", "quickstart", "--workers", "2"], cwd=tmp_path, env=environment(), check=True)
    wall = time.perf_counter() - start
    with sqlite3.connect(tmp_path / "sweeps" / "results.db") as database:
        ((jobs,),) = database.execute(f"SELECT SUM(seconds) FROM ({_SECONDS})")
    reference = f"half of the {jobs:.0f} s that its jobs took, {os.cpu_count()} cores"
    record("wall time of quickstart on two workers", wall / (jobs / 2), asked="<= 1.15", reference=reference)


MANY_TINY_JOBS = """
data: {name: digits, train_examples: 32}
model: {width: 2, tensorized: false}
training: {epochs: 1, batch_size: 32}
evaluation: {examples: 4, batch_size: 4}
attacks: [{attack: noise, epsilon: [EPSILONS]}]
"""
_ATTACK_SECONDS = """SELECT (julianday(MAX(finished_at)) - julianday(MIN(started_at))) * 86400
FROM attempts JOIN jobs ON job_key = key WHERE stage = 'attack'"""


@pytest.mark.parametrize("executor", ["processes", "ray"])
def test_many_tiny_jobs_against_one_process(executor: str, tmp_path: Path, record: Record) -> None:
    """Jobs of a few milliseconds: what one worker takes for them, handed out, against the same jobs in the driver's own process."""
    times = {}
    for name in ("inline", executor):
        folder = tmp_path / name
        folder.mkdir()
        write_space(folder, MANY_TINY_JOBS.replace("EPSILONS", ", ".join(f"{number}/512" for number in range(1, 201))))
        command = [*PROGRAM, "launch", "tiny.yaml", "--executor", name, "--workers", "1"]
        subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
        with sqlite3.connect(folder / "sweeps" / "results.db") as database:
            ((times[name],),) = database.execute(_ATTACK_SECONDS)
    name = f"200 jobs of milliseconds, --executor {executor}, one worker"
    record(name, times[executor] / times["inline"], asked="<= 1.5", reference=f"--executor inline, {times['inline']:.1f} s")
