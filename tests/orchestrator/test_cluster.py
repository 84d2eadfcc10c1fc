"""A sweep on a Ray cluster that runs already, and beside one that is not meant."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import TINY, environment, robustsweep, rows, stored_flags, write_space

_CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""
SMALL = TINY.replace("[1.0, 0.8]", "1.0").replace("[fgsm, pgd]", "fgsm")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of one node with two CPUs; it ends with its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    assert process.stdin is not None
    yield process.stdout.readline().strip()
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


def test_a_sweep_runs_on_the_cluster_at_an_address_with_the_same_results(cluster: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        write_space(folder, SMALL)
    done = robustsweep("launch", "tiny.yaml", "--address", cluster, cwd=there)
    assert done.returncode == 0, done.stdout + done.stderr
    assert robustsweep("launch", "tiny.yaml", "--executor", "inline", cwd=here).returncode == 0
    assert stored_flags(there) == stored_flags(here)
    assert rows(there) == rows(here)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--cpus-per-job", "9"], "--cpus-per-job 9: the cluster has 2 CPUs"),
        (["--gpus-per-attack", "0.5"], "0.5 GPUs asked for a job: the cluster has 0"),
    ],
)
def test_a_job_that_no_node_can_hold_is_refused_at_once(cluster: str, options: list[str], expected: str, tmp_path: Path) -> None:
    done = robustsweep("launch", write_space(tmp_path, SMALL), "--address", cluster, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_without_a_cluster_is_one_clear_line(tmp_path: Path) -> None:
    done = robustsweep("launch", write_space(tmp_path, SMALL), "--address", "127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 2
    assert "--address 127.0.0.1:1: no Ray cluster there" in done.stderr
    assert "Traceback" not in done.stderr
