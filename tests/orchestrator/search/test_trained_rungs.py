"""Successive halving with real trainings: what is trained, what a grid finds of it, and a driver killed with SIGKILL."""

import io
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from orchestrator.launching.launch import LaunchOptions, launch
from orchestrator.paths import Paths
from orchestrator.store import open_store, result_rows
from orchestrator.store.connection.read_only_sql import ask
from tests.commands import PROGRAM, attempts, environment, robustsweep, write_space

SEARCH = """
method: optuna
search:
  n_trials: 4
  n_parallel: 1
  sampler: random
  objectives: [clean_accuracy, {metric: robust_accuracy, attack: pgd, epsilon: 8/255}]
  rungs: [{epochs: 0.25, examples: 12, steps: 1}]
  reduction_factor: 2
"""
RANGES = "model: {width: 2, theta: {min: 0.7, max: 0.9}, rank_fraction: 1.0}"
FIXED = """
data: {name: digits, train_examples: 64, validation_examples: 0}
training: {epochs: 1, batch_size: 32}
fine_tuning: {epochs: 4}
evaluation: {examples: 24, batch_size: 12, repeats: 2}
attacks: [{attack: [pgd], epsilon: 8/255, steps: 2}]
"""


def launched(folder: Path, text: str, *, name: str) -> str:
    """Launch the space in this process; what was printed."""
    said = io.StringIO()
    paths = Paths.resolve(home=folder / "sweeps", store=None)
    options = LaunchOptions(str(write_space(folder, text, name=name)), paths, executor="inline")
    assert launch(options, Console(file=said, width=200)) == 0, said.getvalue()
    return said.getvalue()


def trials(folder: Path) -> list[FrozenTrial]:
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder}/sweeps/results.db")
    found: list[FrozenTrial] = optuna.load_study(study_name="searched", storage=storage).trials
    storage.engine.dispose()
    return found


def query(folder: Path, statement: str) -> tuple[tuple[Any, ...], ...]:
    with open_store(f"sqlite:///{folder}/sweeps/results.db", upgrade=False) as store:
        return tuple(ask(store, statement).rows)


TRAINED = """
SELECT sum(coalesce(model.until, model.epochs) - coalesce(rung.until, 0))
FROM v_models model LEFT JOIN v_models rung ON rung.model_key = model.resumed_key WHERE model.stage = 'fine_tune'
"""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quiet")
    launched(folder, SEARCH + RANGES + FIXED, name="searched")
    return folder


@pytest.mark.slow
def test_the_epochs_that_are_trained_are_those_that_the_rungs_leave(quiet: Path) -> None:
    found = trials(quiet)
    whole = [trial for trial in found if trial.state == TrialState.COMPLETE]
    on_rung = {trial.user_attrs["identity"] for trial in found}
    assert len(on_rung) == 4
    assert 2 <= len(whole) < 4
    assert query(quiet, TRAINED) == ((4 * 1 + len(whole) * 3,),)
    assert query(quiet, "SELECT count(*) FROM v_models WHERE until = 1") == ((4,),)
    assert query(quiet, "SELECT count(*) FROM v_models WHERE resumed_key IS NOT NULL") == ((len(whole),),)
    with open_store(f"sqlite:///{quiet}/sweeps/results.db", upgrade=False) as store:
        assert {row.model_key for row in result_rows(store, "searched", per_repeat=False)} == {t.user_attrs["model_key"] for t in whole}


def test_a_grid_finds_every_job_of_a_promoted_model_done(quiet: Path) -> None:
    thetas = [trial.params["model.theta"] for trial in trials(quiet) if trial.state == TrialState.COMPLETE]
    model = f"model: {{width: 2, theta: {thetas}, rank_fraction: 1.0}}"
    assert "nothing to do" in launched(quiet, model + FIXED, name="grid")


@pytest.mark.slow
def test_a_driver_killed_three_times_leaves_the_same_survivors_and_trains_nothing_twice(quiet: Path, tmp_path: Path) -> None:
    write_space(tmp_path, SEARCH + RANGES + FIXED, name="searched")
    command = [*PROGRAM, "launch", "searched.yaml", "--executor", "inline"]
    for results in (3, 9, 16):
        with subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            end = time.monotonic() + 200
            while len(list(tmp_path.glob("sweeps/artifacts/*/*/result.json"))) < results and process.poll() is None:
                assert time.monotonic() < end, "waited in vain"
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
    assert robustsweep("launch", "searched.yaml", "--executor", "inline", cwd=tmp_path).returncode == 0
    told = [(trial.state, trial.params, trial.values, trial.user_attrs) for trial in trials(tmp_path)]
    assert told == [(trial.state, trial.params, trial.values, trial.user_attrs) for trial in trials(quiet)]
    assert query(tmp_path, TRAINED) == query(quiet, TRAINED)
    assert all(outcomes.count("done") <= 1 for outcomes in attempts(tmp_path).values())
