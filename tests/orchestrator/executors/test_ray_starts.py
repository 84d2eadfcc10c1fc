"""A Ray that does not start: a busy machine gives it more tries, and a launch that was told to stop none."""

import os
import shutil
import subprocess
from pathlib import Path
from unittest import mock

import pytest
import ray

from orchestrator.executors.base import ExecutorLostError, Folders, Resources
from orchestrator.executors.ray_tune.ray_executor import RayExecutor
from orchestrator.executors.ray_tune.ray_watch import StartLoss

_BUSY = "The current node timed out during startup. This could happen because some of the raylet failed to startup."


@pytest.mark.parametrize(("interrupted", "starts"), [(False, 3), (True, 1)])
def test_ray_is_started_three_times_unless_the_launch_was_stopped(interrupted: bool, starts: int) -> None:
    said: list[str] = []
    sweep = mock.Mock(interrupted=interrupted, **{"queue.total.return_value": 0})
    with mock.patch.object(ray, "init", side_effect=Exception(_BUSY)) as start, pytest.raises(ExecutorLostError) as lost:
        RayExecutor(Folders("artifacts", None), Resources(), say=said.append).execute(sweep)
    assert start.call_count == starts
    assert str(lost.value) == f"Ray did not start on this machine: {_BUSY.rstrip('.')}"
    assert said == [f"{lost.value}; it is started again"] * (starts - 1)


@pytest.mark.parametrize("name", ["gcs_server", "raylet"])
def test_a_process_of_ray_that_ends_while_ray_starts_is_noticed(name: str, tmp_path: Path) -> None:
    program = shutil.copy(shutil.which("sleep") or "sleep", tmp_path / name)
    with subprocess.Popen([program, "600"]) as earlier:
        loss = StartLoss()
        with subprocess.Popen([program, "600"]) as process:
            try:
                assert loss() is None
                earlier.kill()
                assert loss() is None
            finally:
                process.kill()
            process.wait()
            assert loss() == f"Ray on this machine has died while it started ({name} ended)"


def test_a_process_of_ray_that_nobody_saw_alive_is_noticed(tmp_path: Path) -> None:
    loss = StartLoss()
    program = shutil.copy(shutil.which("sleep") or "sleep", tmp_path / "gcs_server")
    with subprocess.Popen([program, "600"]) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert loss() == "Ray on this machine has died while it started (gcs_server ended)"
