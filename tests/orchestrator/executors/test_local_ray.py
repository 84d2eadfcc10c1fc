"""The Ray that `launch` starts on this machine: no other user reaches it, it leaves nothing behind, and its end is noticed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import environment

# What the processes of our own Ray listen on, what they have in their environment, and whom they let in; with a worker running. Where
# its files are, who gets SIGTERM, and what is known of its end.
_LOOK = """
import json, os, psutil, signal, time
from pathlib import Path
from orchestrator.executors.ray_tune.ray_executor import ray
from orchestrator.executors.ray_tune.local_ray import local_ray_cluster
from orchestrator.executors.ray_tune.cluster import _admits
from orchestrator.executors.ray_tune.ray_watch import local_loss
before = dict(os.environ)
stopped = []
signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
with local_ray_cluster(log_to_driver=False, num_cpus=1):
    ray.get(ray.remote(lambda: None).remote())
    mine = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = sorted({at.laddr.ip for process in mine for at in process.net_connections("inet") if at.status == "LISTEN"})
    inherited = [process.environ() for process in mine if process.name() in ("raylet", "gcs_server")]
    modes = [variables.get("RAY_AUTH_MODE") for variables in inherited]
    tokens = {variables.get("RAY_AUTH_TOKEN", "") for variables in inherited}
    address = ray.get_runtime_context().gcs_address
    lets_in = [_admits(address, token=token) for token in (None, "guessed", *tokens)]
    folder = next(Path("/tmp").glob(f"*/r/session_*_{os.getpid()}")).parents[1]
    mode = folder.stat().st_mode & 0o777
    os.kill(os.getpid(), signal.SIGTERM)
    losses = [local_loss()]
    next(process for process in mine if process.name() == "raylet").kill()
    while (lost := local_loss()) is None:
        time.sleep(0.01)
found = {"listening": listening, "modes": modes, "lengths": [len(token) for token in tokens], "lets_in": lets_in}
left = sorted(name for name, value in os.environ.items() if before.get(name) != value and name.startswith(("RAY_AUTH", "RAY_ENABLE")))
more = {"left": left, "mode": mode, "stopped": stopped, "losses": [*losses, lost], "folder_left": folder.exists()}
print(json.dumps(found | more))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in environment().items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(
        [sys.executable, "-c", _LOOK], env=kept | {"HOME": str(home)}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return home, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_nothing_listens_beyond_loopback(found: tuple[Path, dict[str, Any]]) -> None:
    assert found[1]["listening"]
    assert {address.removeprefix("::ffff:") for address in found[1]["listening"]} == {"127.0.0.1"}


def test_only_who_has_its_token_is_let_in(found: tuple[Path, dict[str, Any]]) -> None:
    assert found[1]["modes"] == ["token", "token"]
    assert found[1]["lengths"] == [64]
    assert found[1]["lets_in"] == [False, False, True]


def test_its_token_is_in_no_file_and_the_environment_is_what_it_was(found: tuple[Path, dict[str, Any]]) -> None:
    assert not (found[0] / ".ray").exists()
    assert found[1]["left"] == []


def test_its_sockets_are_this_users_alone_and_go_with_it(found: tuple[Path, dict[str, Any]]) -> None:
    assert found[1]["mode"] == 0o700
    assert not found[1]["folder_left"]


def test_a_signal_is_ours_and_the_end_of_its_processes_is_noticed(found: tuple[Path, dict[str, Any]]) -> None:
    assert found[1]["stopped"] == [15]
    assert found[1]["losses"] == [None, "Ray on this machine has died (raylet ended)"]
