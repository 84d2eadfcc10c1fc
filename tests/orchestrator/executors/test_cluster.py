"""A sweep on a Ray cluster that runs already: with its token, without, and through its Jobs API."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import TINY, robustsweep, rows, stored_flags, write_space
from tests.orchestrator.executors.clusters import Head, free_port, ray_head

SMALL = TINY.replace("[1.0, 0.8]", "1.0").replace("[fgsm, pgd]", "fgsm")


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A cluster of one node with two CPUs, which asks for a token."""
    with ray_head("--num-cpus=2") as started:
        yield started


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    assert robustsweep("launch", write_space(folder, SMALL), "--executor", "inline", cwd=folder).returncode == 0
    return folder


@pytest.mark.slow
def test_a_sweep_runs_on_the_cluster_at_an_address_with_the_same_results(head: Head, reference: Path, tmp_path: Path) -> None:
    write_space(tmp_path, SMALL)
    knows_only_where_the_token_is = head.stranger | {"RAY_AUTH_TOKEN_PATH": head.env["RAY_AUTH_TOKEN_PATH"]}
    done = robustsweep("launch", "tiny.yaml", "--address", head.address, cwd=tmp_path, env=knows_only_where_the_token_is)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout
    assert stored_flags(tmp_path) == stored_flags(reference)
    assert rows(tmp_path) == rows(reference)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(["--cpus-per-job", "9"], "--cpus-per-job 9: no node of the cluster has more than 2 CPUs", marks=pytest.mark.slow),
        (["--gpus-per-attack", "0.5"], "0.5 GPUs requested for a job: no node of the cluster has more than 0"),
        pytest.param(
            ["--cpus-per-job", "9", "--wait-for-nodes", "0.01"],
            "--cpus-per-job 9: no node of the cluster has more than 2 CPUs, after 0.01 minutes of --wait-for-nodes",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_job_that_no_node_can_hold_is_refused(head: Head, options: list[str], expected: str, tmp_path: Path) -> None:
    done = robustsweep("launch", write_space(tmp_path, SMALL), "--address", head.address, *options, cwd=tmp_path, env=head.env)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("verb", "environment", "expected"),
    [
        ("launch", {}, "the cluster asks for a token; put the cluster's token into ~/.ray/auth_token"),
        pytest.param("launch", {"RAY_AUTH_TOKEN": "guessed"}, "the token here is not the cluster's", marks=pytest.mark.slow),
        ("submit", {"RAY_AUTH_TOKEN": "guessed"}, "the token here is not the cluster's"),
        ("submit", {"RAY_AUTH_TOKEN_PATH": "/nowhere"}, "RAY_AUTH_TOKEN_PATH is set but file cannot be opened or is empty: /nowhere"),
    ],
)
def test_without_the_clusters_token_nothing_runs(head: Head, verb: str, environment: dict[str, str], expected: str, tmp_path: Path) -> None:
    address = {"launch": head.address, "submit": head.dashboard}[verb]
    done = robustsweep(verb, write_space(tmp_path, SMALL), "--address", address, cwd=tmp_path, env=head.stranger | environment)
    assert done.returncode == 2
    assert f"--address {address}: {expected}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_two_addresses_of_a_cluster_are_told_apart(head: Head, tmp_path: Path) -> None:
    space, dashboard = write_space(tmp_path, SMALL), head.dashboard.removeprefix("http://")
    swapped = robustsweep("launch", space, "--address", dashboard, cwd=tmp_path, env=head.env)
    assert (swapped.returncode, swapped.stderr.count("\n")) == (2, 1)
    assert f"what listens at {dashboard} is no Ray head" in swapped.stderr
    swapped = robustsweep("submit", space, "--address", f"http://{head.address}", cwd=tmp_path, env=head.env)
    assert (swapped.returncode, swapped.stderr.count("\n")) == (2, 1)
    assert "no Ray dashboard answers there" in swapped.stderr


@pytest.mark.slow
def test_a_submitted_sweep_runs_to_its_end_and_exits_as_launch_does(head: Head, reference: Path, tmp_path: Path) -> None:
    home = tmp_path / "sweeps"
    space = write_space(tmp_path, SMALL, name="tiny")
    done = robustsweep("submit", space, "--address", head.dashboard, "--home", home, "--set", "seed=0", cwd=tmp_path, env=head.env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "jobs done in" in done.stdout
    assert rows(tmp_path) == rows(reference)


@pytest.mark.slow
def test_a_submitted_sweep_is_left_alone_with_no_wait_and_its_failure_is_an_exit_code_with_wait(head: Head, tmp_path: Path) -> None:
    from ray.job_submission import JobSubmissionClient

    space, home = write_space(tmp_path, SMALL), tmp_path / "sweeps"
    options = ["--address", head.dashboard, "--home", home, "--ship-code"]
    done = robustsweep("submit", space, *options, "--no-wait", cwd=tmp_path, env=head.env)
    assert done.returncode == 0
    found = re.search(r"submitted as job (tiny-[0-9a-f]{8}); watch", done.stdout)
    assert found is not None
    token = Path(head.env["RAY_AUTH_TOKEN_PATH"]).read_text()
    client = JobSubmissionClient(head.dashboard, headers={"Authorization": f"Bearer {token}"})
    info = client.get_job_info(found[1])
    assert info.entrypoint is not None
    assert info.entrypoint.startswith("python -m orchestrator.cli.main launch tiny.yaml --address auto")
    assert "py_modules" in json.dumps(info.runtime_env)
    there = ["--home", tmp_path / "elsewhere", "--set", "training.learning_rate=1e30", "--max-failures", "0"]
    diverging = robustsweep("submit", space, "--address", head.dashboard, *there, cwd=tmp_path, env=head.env)
    assert diverging.returncode == 1, diverging.stdout + diverging.stderr
    while not client.get_job_status(found[1]).is_terminal():
        time.sleep(0.5)
    assert client.get_job_info(found[1]).driver_exit_code == 0


@pytest.mark.slow
def test_a_cluster_that_asks_for_no_token_is_used_with_a_warning(tmp_path: Path) -> None:
    with ray_head("--num-cpus=2", token=None) as unlocked:
        space, options = write_space(tmp_path, SMALL), ["--home", tmp_path / "sweeps"]
        for verb, address in (("launch", unlocked.address), ("submit", unlocked.dashboard)):
            done = robustsweep(verb, space, "--address", address, *options, cwd=tmp_path, env=unlocked.env)
            assert done.returncode == 0, done.stdout + done.stderr
            assert f"warning: --address {address}: this Ray cluster asks for no token" in done.stdout


@pytest.mark.slow
def test_a_cluster_without_room_is_made_to_grow(tmp_path: Path) -> None:
    """Ray's own stand-in for a cloud starts the workers, on this machine."""
    port, cpus = free_port(), {"ray.head.default": 0, "worker": 1}
    types = {name: {"resources": {"CPU": count}, "node_config": {}, "min_workers": 0, "max_workers": 2} for name, count in cpus.items()}
    config = {"cluster_name": "grows", "max_workers": 2, "head_node_type": "ray.head.default", "available_node_types": types}
    provider = {"type": "fake_multinode", "gcs_address": f"127.0.0.1:{port}", "disable_node_updaters": True}
    config |= {"provider": provider, "auth": {"ssh_user": "nobody"}}
    config |= {"idle_timeout_minutes": 5, "upscaling_speed": 1.0, "docker": {}, "file_mounts": {}, "cluster_synced_files": []}
    commands = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    config |= {f"{name}_commands": [] for name in commands}
    (tmp_path / "cluster.json").write_text(json.dumps(config))
    autoscaler = {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
    with ray_head("--num-cpus=0", f"--autoscaling-config={tmp_path / 'cluster.json'}", port=port, env=autoscaler) as head:
        options = ["--address", head.address, "--wait-for-nodes", "3", "--workers", "2"]
        done = robustsweep("launch", write_space(tmp_path, SMALL), *options, cwd=tmp_path, env=head.env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "waiting up to 3 minutes for a node that can hold a job" in done.stdout


def test_an_address_without_a_cluster_is_one_clear_line(tmp_path: Path) -> None:
    done = robustsweep("launch", write_space(tmp_path, SMALL), "--address", "127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 2
    assert "--address 127.0.0.1:1: no Ray cluster there" in done.stderr
    assert "Traceback" not in done.stderr
