"""A Ray cluster of several nodes on this machine, whose nodes can be killed or frozen one by one."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from tests.commands import environment
from tests.faults.processes import RAY_WORKER, in_session, send, title

# A head that runs no jobs, and nodes of one slot each; it ends with its standard input.
_CLUSTER = """
import json, select, sys
from ray.cluster_utils import Cluster
head = {"num_cpus": 0, "include_dashboard": False, "_system_config": json.loads(sys.argv[2])}
cluster = Cluster(initialize_head=True, head_node_args=head)
nodes = [cluster.add_node(num_cpus=1) for _ in range(int(sys.argv[1]))]
cluster.wait_for_nodes()
raylets = [node.all_processes["raylet"][0].process for node in nodes]
print(json.dumps({"address": cluster.address, "raylets": [raylet.pid for raylet in raylets]}), flush=True)
while not select.select([sys.stdin], [], [], 0.5)[0]:
    [raylet.poll() for raylet in raylets]  # one that has died is gone only then, and its workers wait for that
cluster.shutdown()
"""
# Ray needs a minute to give up a node that says nothing; this is for those that are gone for good.
QUICK = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, "health_check_failure_threshold": 5}


@dataclass(frozen=True)
class Node:
    """One node of a cluster, known by its raylet."""

    raylet: int

    def workers(self) -> set[int]:
        """The processes on this node that run a job now."""
        try:
            below = [child.pid for child in psutil.Process(self.raylet).children(recursive=True)]
        except psutil.NoSuchProcess:
            return set()
        return {pid for pid in below if title(pid).startswith(f"{RAY_WORKER}.train")}

    def processes(self) -> set[int]:
        """The raylet and all below it."""
        return {self.raylet} | {child.pid for child in psutil.Process(self.raylet).children(recursive=True)}


@dataclass(frozen=True)
class RayCluster:
    """A running cluster."""

    address: str
    nodes: tuple[Node, ...]


@contextmanager
def cluster(nodes: int, *, config: dict[str, int] | None = None) -> Iterator[RayCluster]:
    """A head without CPUs and `nodes` nodes with one CPU each; `config` is Ray's own."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER, str(nodes), json.dumps(config or {})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        yield RayCluster(said["address"], tuple(Node(raylet) for raylet in said["raylets"]))
    finally:
        process.stdin.close()
        process.stdout.close()
        send(signal.SIGKILL, in_session(process.pid))
        process.wait(timeout=60)
