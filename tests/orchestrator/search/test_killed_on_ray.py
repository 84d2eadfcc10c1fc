"""A search on Ray whose driver is killed again and again: every trial ends, has its jobs, and nothing is trained twice."""

import json
import os
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tests.commands import PROGRAM, attempts, environment, robustsweep, write_space
from tests.faults.processes import wait_for, workers

SEARCH = """
method: optuna
search:
  n_trials: 6
  n_parallel: 2
  objectives: [clean_accuracy, {metric: worst_case_accuracy, epsilon: 8/255}]
  constraints: [parameters <= 1000000]
data: {name: digits, train_examples: 64, validation_examples: 0}
model: {width: 2, theta: {min: 0.6, max: 1.0}, rank_fraction: {min: 0.3, max: 1.0}}
training: {epochs: 6, batch_size: 32}
fine_tuning: {epochs: 3}
evaluation: {examples: 12, batch_size: 6, repeats: 2}
attacks: [{attack: [fgsm, pgd], epsilon: 8/255, steps: 2}]
"""
RUNGS = """  rungs: [{epochs: 0.34, examples: 6, steps: 1}]
  reduction_factor: 2
"""


def trials(folder: Path) -> list[FrozenTrial]:
    storage = RDBStorage(f"sqlite:///{folder / 'sweeps' / 'results.db'}")
    found: list[FrozenTrial] = optuna.load_study(study_name="tiny", storage=storage).trials
    storage.engine.dispose()
    return found


@contextmanager
def launching(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A launch on Ray in a session of its own, as a shell would start it."""
    with (folder / "launch.log").open("w") as log:
        command = [*PROGRAM, "launch", "tiny.yaml", "--executor", "ray", "--workers", "2"]
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=log, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(timeout=60)


def results(folder: Path) -> int:
    return len(list(folder.glob("sweeps/artifacts/*/*/result.json")))


def kill_when(condition: Callable[[], bool], folder: Path) -> None:
    """Launch, and kill the driver as soon as the condition holds; its workers end by themselves."""
    with launching(folder) as process:
        wait_for(condition, seconds=200)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
        wait_for(lambda: not workers(process.pid), seconds=90, what="the end of the workers")


def recorded(folder: Path) -> dict[str, str]:
    """The state of every job of the sweep, by key."""
    connection = sqlite3.connect(folder / "sweeps" / "results.db")
    try:
        return dict(connection.execute("SELECT key, state FROM jobs JOIN sweep_jobs ON job_key = key"))
    finally:
        connection.close()


@pytest.mark.slow
def test_a_search_whose_driver_is_killed_three_times_ends_as_one_that_was_not(tmp_path: Path) -> None:
    write_space(tmp_path, SEARCH)
    for number in (1, 9, 17):
        kill_when(lambda number=number: results(tmp_path) >= number, tmp_path)  # type: ignore[misc]
    done: subprocess.CompletedProcess[str] = robustsweep("launch", "tiny.yaml", "--workers", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 trials" in done.stdout
    found, jobs = trials(tmp_path), recorded(tmp_path)
    assert {trial.state for trial in found} == {TrialState.COMPLETE}
    assert sum("kind" not in trial.user_attrs for trial in found) == 6
    for trial in found:
        assert {jobs[key] for key in trial.user_attrs["job_keys"]} == {"done"}
        assert trial.user_attrs["model_key"] in trial.user_attrs["job_keys"]
        assert set(trial.constraints) == {"parameters <= 1000000"}
    assert set(jobs) == {key for trial in found for key in trial.user_attrs["job_keys"]}
    assert [outcomes for outcomes in attempts(tmp_path).values() if outcomes.count("done") > 1] == []
    assert "nothing to do" in robustsweep("launch", "tiny.yaml", cwd=tmp_path).stdout


@pytest.mark.slow
def test_on_rungs_a_search_whose_driver_is_killed_three_times_trains_no_epoch_twice(tmp_path: Path) -> None:
    write_space(tmp_path, SEARCH.replace("search:\n", f"search:\n{RUNGS}"))
    for number in (2, 10, 18):
        kill_when(lambda number=number: results(tmp_path) >= number, tmp_path)  # type: ignore[misc]
    done: subprocess.CompletedProcess[str] = robustsweep("launch", "tiny.yaml", "--workers", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found, jobs = trials(tmp_path), recorded(tmp_path)
    states = Counter(trial.state for trial in found)
    assert set(states) == {TrialState.COMPLETE, TrialState.PRUNED}
    assert len({trial.user_attrs["identity"] for trial in found}) == 6
    for trial in found:
        assert {jobs[key] for key in trial.user_attrs["job_keys"]} == {"done"}
    assert [outcomes for outcomes in attempts(tmp_path).values() if outcomes.count("done") > 1] == []
    best = json.loads(robustsweep("best", "tiny", "-f", "json", cwd=tmp_path).stdout)
    whole = {trial.number for trial in found if trial.state == TrialState.COMPLETE}
    assert best
    assert {row["trial"] for row in best} <= whole
    assert "nothing to do" in robustsweep("launch", "tiny.yaml", cwd=tmp_path).stdout


@pytest.mark.slow
def test_ctrl_c_ends_a_search_as_it_ends_a_grid(tmp_path: Path) -> None:
    write_space(tmp_path, SEARCH)
    with launching(tmp_path) as process:
        wait_for(lambda: results(tmp_path) >= 3, seconds=200)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=90) == 130
    printed = (tmp_path / "launch.log").read_text()
    assert "continue with: robustsweep launch tiny.yaml" in printed
    assert "Traceback" not in printed
