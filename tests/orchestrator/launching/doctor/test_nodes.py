"""Nodes that are not as they should be, on a real cluster."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import environment
from tests.faults.clusters import cluster

# In a process of its own, as a driver is.
_ASK = """
import json, logging, sys
from dataclasses import asdict
import ray
from orchestrator.launching.doctor.artifact_store import marker_file
from orchestrator.launching.doctor.node import NodeQuestion
from orchestrator.launching.doctor.nodes import check_nodes
from orchestrator.launching.doctor.versions import versions_here
address, folder = sys.argv[1:]
ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
with marker_file(folder) as mark:
    question = NodeQuestion(artifacts_url=folder, data_root=None, needed=(("digits", "official"),), mark=mark)
    print(json.dumps([asdict(line) for line in check_nodes(question, versions_here() | {"torch": "0.1"}, seconds=20.0)]))
"""


@pytest.mark.slow
def test_a_frozen_node_is_a_line_and_the_others_are_heard(tmp_path: Path) -> None:
    with cluster(2) as there:
        os.kill(there.nodes[0].raylet, signal.SIGSTOP)
        done = subprocess.run(
            [sys.executable, "-c", _ASK, there.address, str(tmp_path / "artifacts")],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    lines = {line["what"]: line for line in json.loads(done.stdout)}
    assert lines["cluster"]["found"] == "3 nodes with 2 CPUs and 0 GPUs"
    assert lines["node"]["status"] == "wrong"
    assert lines["node"]["found"].startswith("1 of 3 nodes (")
    assert lines["node"]["found"].endswith("no answer within 20 s")
    for what in ("data", "artifacts", "clock", "GPU"):
        assert (lines[what]["status"], lines[what]["found"][:14]) == ("ok", "2 of 3 nodes (")
    assert lines["versions"]["status"] == "wrong"
    assert "(here 0.1)" in lines["versions"]["found"]
    assert not list(tmp_path.iterdir())
