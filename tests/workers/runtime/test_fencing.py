"""Attempts that were given up and go on nevertheless: they end, and harm nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workers.runtime.chain import FULL, train_job
from workers.artifacts.artifacts import Artifacts
from workers.errors import SupersededError
from workers.runtime.run import RunSettings, run
from workers.spec.job import JOB
from workers.spec.training import TrainingSpec

ROOT = Path(__file__).parents[3]
LONG = train_job(training=TrainingSpec(epochs=40, batch_size=20))


def names(root, job):
    return sorted(path.name for path in (root / job.key).iterdir())


def test_a_training_that_is_done_by_another_attempt_meanwhile_ends_with_that_ones_result(tmp_path):
    second = []

    def frozen(record):
        if not second:
            second.append(run(FULL, RunSettings(tmp_path), attempt="new"))

    first = run(FULL, RunSettings(tmp_path), attempt="old", report=frozen)
    assert first == second[0] == Artifacts(tmp_path).result(FULL.key)
    assert "checkpoint" not in names(tmp_path, FULL)
    assert Artifacts(tmp_path).damage(FULL.key) is None
    assert len(names(tmp_path, FULL)) == 3


def test_a_training_that_was_given_to_another_attempt_stops_at_its_next_epoch_and_leaves_that_ones_files(tmp_path):
    newer = Artifacts(tmp_path).folder(FULL.key, attempt="new")

    def frozen(record):
        newer.begin(FULL)
        newer.save("checkpoint", b"a newer one")

    with pytest.raises(SupersededError, match="another attempt"):
        run(FULL, RunSettings(tmp_path), attempt="old", report=frozen)
    assert newer.saved("checkpoint") == b"a newer one"
    assert names(tmp_path, FULL) == ["attempt", "checkpoint", "job.json"]


@pytest.mark.slow
def test_a_process_frozen_and_thawed_after_another_one_did_its_job_changes_nothing(tmp_path):
    path = tmp_path / "job.json"
    path.write_bytes(JOB.dump_json(LONG))
    root = tmp_path / "artifacts"
    command = [sys.executable, "-m", "workers", str(path), "--artifacts", str(root)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        while not (root / LONG.key / "checkpoint").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        result = run(LONG, RunSettings(root))
        before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (root / LONG.key).iterdir()}
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=120) == 0, process.stderr.read()
    finally:
        process.kill()
        process.stderr.close()
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (root / LONG.key).iterdir()} == before
    assert Artifacts(root).result(LONG.key) == result
