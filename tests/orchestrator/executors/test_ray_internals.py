"""Names of Ray that have no public counterpart, on the installed release: an upgrade that changes one fails here, and says which."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray._raylet import AuthenticationMode, AuthenticationTokenLoader, get_authentication_mode

from orchestrator.executors.ray_tune.local_ray import users_token
from orchestrator.executors.ray_tune.ray_internals import head_at, job_of_this_code, loopback_alone, reread_authentication
from tests.commands import environment
from workers.code import FOLDER
from workers.errors import UserError

RELEASE = f"ray {ray.__version__}"
ELSEWHERE = "192.0.2.1:6379"
TRIALS, PENDING, LONG_AGO = 12, 3, 6

# A dozen trials on one CPU, three of them waiting at any time, of which those that ended are forgotten at once.
_RUN = f"""
import gc, json, os, sys, types, weakref
from orchestrator.executors.ray_tune.ray_executor import _StartCallback, tune, RunConfig, TuneConfig, Tuner
from orchestrator.executors.ray_tune.local_ray import local_ray_cluster
from orchestrator.executors.ray_tune.ray_internals import forget_trials, without_process
from orchestrator.executors.ray_tune.trial_scheduler import PreferUnstartedTrials

class Watched(PreferUnstartedTrials):
    added, snapshots, listed = [], [], []
    def on_trial_add(self, controller, trial):
        super().on_trial_add(controller, trial)
        self.added.append(weakref.ref(trial))
    def choose_trial_to_run(self, controller):
        chosen = super().choose_trial_to_run(controller)
        numbers = {{reference(): number for number, reference in enumerate(self.added)}}
        waiting = [trial for trial in self._waiting if trial.status == "PENDING"]
        unstarted = [numbers[trial] for trial in without_process(controller, waiting)]
        self.snapshots.append([[numbers[trial] for trial in waiting], unstarted])
        forget_trials(controller, {{trial for trial in controller.get_trials() if trial.is_finished()}})
        self.listed.append(len(controller.get_trials()))
        del numbers
        if len(self.added) == {TRIALS}:
            gc.collect()
            self.alive = [number for number, reference in enumerate(self.added) if reference() is not None]
        return chosen

os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = "{PENDING}"
scheduler, searcher = Watched(), types.SimpleNamespace(begin=lambda trial: None)
with local_ray_cluster(log_to_driver=False, num_cpus=1):
    Tuner(
        tune.with_resources(lambda config: tune.report({{"one": 1}}), {{"CPU": 1}}),
        tune_config=TuneConfig(num_samples={TRIALS}, scheduler=scheduler, reuse_actors=True),
        run_config=RunConfig(storage_path=sys.argv[1], verbose=0, callbacks=[_StartCallback(searcher, lambda: None)]),
    ).fit()
print(json.dumps({{"snapshots": scheduler.snapshots, "listed": scheduler.listed, "alive": scheduler.alive}}))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    command = [sys.executable, "-c", _RUN, str(tmp_path_factory.mktemp("tune"))]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, f"{RELEASE}: {done.stderr}"
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_a_trial_whose_process_starts_is_told_from_those_whose_process_waits_for_a_cpu(run: dict[str, Any]) -> None:
    assert [[0, 1, 2], [1, 2]] in run["snapshots"], f"{RELEASE}: `without_process` does not see what Tune's controller starts"


def test_trials_that_are_forgotten_are_held_by_tune_nowhere(run: dict[str, Any]) -> None:
    assert max(run["listed"]) < TRIALS, f"{RELEASE}: `get_trials` gives no longer the list that Tune keeps"
    assert min(run["alive"]) >= LONG_AGO, f"{RELEASE}: Tune holds trials where `forget_trials` does not look: {run['alive']}"


def test_an_address_is_taken_as_ray_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert head_at(ELSEWHERE) == ELSEWHERE, RELEASE
    monkeypatch.setenv("RAY_ADDRESS", ELSEWHERE)
    assert head_at("auto") == ELSEWHERE, RELEASE


def test_a_node_that_is_started_inside_takes_loopback_for_its_address() -> None:
    with loopback_alone():
        assert ray.util.get_node_ip_address() == "127.0.0.1", f"{RELEASE}: its switch for one machine has another name"


@pytest.fixture
def no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home without a token; Ray has read the environment anew before and after."""
    with monkeypatch.context() as patched:
        for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
            patched.delenv(name, raising=False)
        patched.setenv("HOME", str(tmp_path))
        yield tmp_path
    reread_authentication()


@pytest.mark.parametrize("source", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "home"])
def test_our_token_is_the_one_that_ray_sends(source: str, no_token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = no_token / ".ray" / "auth_token" if source == "home" else no_token / "token"
    found.parent.mkdir(exist_ok=True)
    found.write_text(f"  {source}\n")
    if source != "home":
        monkeypatch.setenv(source, f" {source} " if source == "RAY_AUTH_TOKEN" else str(found))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    reread_authentication()
    assert get_authentication_mode() == AuthenticationMode.TOKEN, f"{RELEASE} does not read RAY_AUTH_MODE again"
    assert users_token("auto") == AuthenticationTokenLoader.instance().get_raw_token() == source, RELEASE


@pytest.mark.parametrize("environment", [{}, {"RAY_AUTH_TOKEN": " "}, {"RAY_AUTH_TOKEN_PATH": "/nowhere"}])
def test_no_token_is_one_line(environment: dict[str, str], no_token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"--address auto: .*; put the cluster's token into ~/\.ray/auth_token"):
        users_token("auto")


def test_workers_get_neither_the_current_folder_nor_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    config = job_of_this_code()
    assert config._runtime_env_has_working_dir(), RELEASE
    assert list(config._get_proto_job_config().py_driver_sys_path) == [str(FOLDER.parent)], RELEASE
    monkeypatch.setattr("site.getsitepackages", lambda: [str(FOLDER.parent)])
    assert not job_of_this_code()._get_proto_job_config().py_driver_sys_path, RELEASE
