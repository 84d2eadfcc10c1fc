"""Executor on processes: which launches take it, how many jobs it runs at once, and that nothing outlives its driver."""

import signal
from pathlib import Path

import pytest

from orchestrator.executors import base, process_executor
from orchestrator.executors.base import Resources, gpus_here
from orchestrator.launching.launch import LaunchOptions
from orchestrator.paths import Paths
from tests.commands import attempts, robustsweep
from tests.faults.processes import in_session, send, wait_for, workers
from tests.faults.sweeps import Sweep
from workers.errors import UserError

SMALL = """
data: {name: digits, train_examples: 32}
model: {width: 2, tensorized: false}
training: {epochs: 400, batch_size: 32}
evaluation: {examples: 4, batch_size: 4}
attacks: []
"""
MEMORY = "memory://anywhere"


@pytest.mark.parametrize(
    ("gpus", "resources", "options", "chosen"),
    [
        (0, Resources(), {}, "processes"),
        (0, Resources(gpus_per_attack=0.5), {}, "ray"),
        (1, Resources(), {}, "ray"),
        (1, Resources(gpus_per_train=0, gpus_per_attack=0), {}, "processes"),
        (0, Resources(), {"address": "auto"}, "ray"),
        (0, Resources(), {"wait_for_nodes": 1.0}, "ray"),
        (0, Resources(), {"artifacts": MEMORY}, "inline"),
    ],
)
def test_a_launch_takes_ray_where_it_is_needed(
    gpus: int, resources: Resources, options: dict[str, object], chosen: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(base, "gpus_here", lambda: gpus)
    paths = Paths.resolve(home=tmp_path, store=None, artifacts=options.pop("artifacts", None))  # type: ignore[arg-type]
    found = LaunchOptions("quickstart", paths, resources=resources, **options)  # type: ignore[arg-type]
    found.check()
    assert found.chosen_executor == chosen


@pytest.mark.parametrize(("named", "options"), [("processes", {"address": "auto"}), ("processes", {"artifacts": MEMORY})])
def test_what_an_executor_cannot_do_is_refused(named: str, options: dict[str, str], tmp_path: Path) -> None:
    paths = Paths.resolve(home=tmp_path, store=None, artifacts=options.get("artifacts"))
    with pytest.raises(UserError, match="only with --executor"):
        LaunchOptions("quickstart", paths, executor=named, address=options.get("address")).check()  # type: ignore[arg-type]


def test_gpus_are_counted_by_their_device_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert gpus_here(tmp_path) == 2
    for visible, found in (("1", 1), ("", 0), ("-1", 0), ("0,1,2", 2)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert gpus_here(tmp_path) == found


@pytest.mark.parametrize(("resources", "slots"), [(Resources(), 4), (Resources(3), 1), (Resources(8), 1), (Resources(workers=2), 2)])
def test_as_many_jobs_run_at_once_as_there_are_cores(resources: Resources, slots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_executor, "gpus_here", lambda: 0)
    monkeypatch.setattr(process_executor.os, "sched_getaffinity", lambda _: range(4))
    assert process_executor.process_slots(resources) == slots
    monkeypatch.setattr(process_executor, "gpus_here", lambda: 1)
    assert process_executor.process_slots(Resources()) == 1
    assert process_executor.process_slots(Resources(gpus_per_train=0.25, gpus_per_attack=0.5)) == 2


def test_a_driver_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    sweep = Sweep.make(tmp_path, SMALL, "--executor", "processes", "--workers", "1")
    with sweep.launched() as launch:
        wait_for(lambda: sweep.is_moment("training") or not launch.running, what="training")
        assert len(workers(launch.session)) == 1
        launch.kill_driver()
        wait_for(lambda: not in_session(launch.session), seconds=20, what="the end of the worker")


def test_a_process_is_started_ahead_of_jobs_that_wait(tmp_path: Path) -> None:
    """PyTorch is imported while the first job computes, not when the next one is ready."""
    sweep = Sweep.make(tmp_path, SMALL, "--executor", "processes", "--workers", "2")
    with sweep.launched() as launch:
        wait_for(lambda: sweep.is_moment("training") or not launch.running, what="training")
        wait_for(lambda: len(workers(launch.session)) == 2, seconds=20, what="a second worker")
        assert sweep.is_moment("training")
        launch.kill_driver()
        wait_for(lambda: not in_session(launch.session), seconds=20, what="the end of both workers")


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_an_attempt(tmp_path: Path) -> None:
    sweep = Sweep.make(tmp_path, SMALL.replace("400", "60"), "--executor", "processes", "--workers", "1")
    with sweep.launched() as launch:
        wait_for(lambda: sweep.is_moment("training") or not launch.running, what="training")
        send(signal.SIGKILL, workers(launch.session))
        assert launch.finish() == 0, launch.log.read_text()
    assert sorted(attempts(tmp_path).values()) == [["done"], ["failed", "done"]]
    assert "nothing to do" in robustsweep("launch", "tiny.yaml", cwd=tmp_path).stdout
