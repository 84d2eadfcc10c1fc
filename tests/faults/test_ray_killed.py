"""A Ray that dies under a sweep: our own is started again, and without a cluster's nodes or head the launch ends and says so."""

import dataclasses
import signal

import psutil
import pytest

from tests.faults.clusters import QUICK, cluster
from tests.faults.judging import Judge
from tests.faults.processes import in_session, send, title, wait_for
from tests.faults.sweeps import Sweep, Watch, wait_for_results

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # quicker: test_local_ray and test_watch, in tests/orchestrator/executors


def _killed_then_finished(sweep: Sweep, name: str) -> str:
    """Kill a process of the launch's own Ray once there is a result; what the launch printed, which ended well."""
    with sweep.launched() as launch:
        wait_for_results(sweep, launch, 1)
        send(signal.SIGKILL, [child.pid for child in psutil.Process(launch.session).children() if child.name() == name])
        assert launch.finish() == 0, launch.log.read_text()
        wait_for(lambda: not in_session(launch.session), what="the end of all processes")
    return launch.log.read_text()


@pytest.mark.fault("Ray's raylet killed (SIGKILL)", outcome="Ray is started again, jobs go on from their last save")
def test_our_own_ray_is_started_again_when_its_raylet_was_killed(sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge) -> None:
    assert "Ray on this machine has died (raylet ended); it is started again" in _killed_then_finished(sweep, "raylet")
    judge(sweep, quiet, watch)


@pytest.mark.fault("Ray's head (GCS) killed (SIGKILL)", outcome="Ray is started again, jobs go on from their last save")
def test_our_own_ray_is_started_again_when_its_head_was_killed(sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge) -> None:
    assert "Ray on this machine has died (gcs_server ended); it is started again" in _killed_then_finished(sweep, "gcs_server")
    judge(sweep, quiet, watch)


@pytest.mark.fault("cluster's only node killed", outcome="the launch ends within a minute with exit code 1; the same command goes on")
def test_a_cluster_that_stays_without_nodes_ends_the_launch(sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge) -> None:
    with cluster(1, config=QUICK) as there, dataclasses.replace(sweep, options=("--address", there.address)).launched() as launch:
        wait_for_results(sweep, launch, 1)
        send(signal.SIGKILL, there.nodes[0].processes())
        assert launch.finish(seconds=120) == 1
    assert "sweep tiny: the Ray cluster has had no node for a job for 1" in launch.log.read_text()
    sweep.run_quietly()
    judge(sweep, quiet, watch)


@pytest.mark.fault("cluster's head killed", outcome="the launch ends within a minute with exit code 1; the same command goes on")
def test_a_cluster_without_a_head_ends_the_launch(sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge) -> None:
    with cluster(1) as there, dataclasses.replace(sweep, options=("--address", there.address)).launched() as launch:
        wait_for_results(sweep, launch, 1)
        session = psutil.Process(there.nodes[0].raylet).ppid()
        send(signal.SIGKILL, [pid for pid in in_session(session) if "gcs_server" in title(pid).partition(" ")[0]])
        assert launch.finish(seconds=120) == 1
    printed = launch.log.read_text()
    assert "the head of the Ray cluster has not answered for 25 s; " in printed
    assert "Traceback" not in printed
    sweep.run_quietly()
    judge(sweep, quiet, watch)
