"""The Ray that `launch` starts on this machine: nobody else reaches it, and it leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import environment

# What the processes of our own Ray listen on, what they have in their environment, and whom they let in; with a worker running.
_LOOK = """
import json, os, psutil
from orchestrator.executors.ray_tune.executor import ray
from orchestrator.executors.ray_tune.local_ray import local_ray_cluster
from orchestrator.executors.ray_tune.cluster import _admits
before = dict(os.environ)
with local_ray_cluster(log_to_driver=False, num_cpus=1):
    ray.get(ray.remote(lambda: None).remote())
    mine = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = sorted({at.laddr.ip for process in mine for at in process.net_connections("inet") if at.status == "LISTEN"})
    inherited = [process.environ() for process in mine if process.name() in ("raylet", "gcs_server")]
    modes = [variables.get("RAY_AUTH_MODE") for variables in inherited]
    tokens = {variables.get("RAY_AUTH_TOKEN", "") for variables in inherited}
    address = ray.get_runtime_context().gcs_address
    lets_in = [_admits(address, token=token) for token in (None, "guessed", *tokens)]
found = {"listening": listening, "modes": modes, "lengths": [len(token) for token in tokens], "lets_in": lets_in}
left = sorted(name for name, value in os.environ.items() if before.get(name) != value and name.startswith(("RAY_AUTH", "RAY_ENABLE")))
print(json.dumps(found | {"left": left}))
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
