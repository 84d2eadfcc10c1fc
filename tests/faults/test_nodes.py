"""Nodes of a cluster that go away, for good or for a while."""

import dataclasses
import signal
import time

import pytest

from tests.faults.clusters import QUICK, Node, RayCluster, cluster
from tests.faults.judging import Judge, attempts
from tests.faults.processes import freeze, is_alive, send, wait_for
from tests.faults.sweeps import Sweep, Watch

pytestmark = pytest.mark.timeout(900)  # several launches; seconds where nothing else computes

_FROZEN_SECONDS = 90
_HEAD_START_SECONDS = 5


def _on(there: RayCluster, sweep: Sweep) -> Sweep:
    return dataclasses.replace(sweep, options=("--address", there.address))


def _busy_node(there: RayCluster, sweep: Sweep, moment: str) -> Node:
    """The first node that is seen at work at that moment."""
    found: list[Node] = []

    def seen() -> bool:
        found[:] = [node for node in there.nodes if node.workers()] if sweep.is_moment(moment) else []
        return bool(found)

    wait_for(seen, every=0.01, what=f"a node that is {moment}")
    return found[0]


@pytest.mark.fault("node removed", outcome="its jobs go on elsewhere, from their last save")
@pytest.mark.slow
def test_a_node_that_is_removed_takes_its_attempts_with_it_and_nothing_else(sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge) -> None:
    with cluster(2, config=QUICK) as there, _on(there, sweep).launched() as launch:
        node = _busy_node(there, sweep, "training")
        send(signal.SIGKILL, node.processes())
        assert launch.finish() == 0, launch.log.read_text()
    unfinished = [outcome for tried in attempts(sweep).values() for outcome, _ in tried if outcome != "done"]
    assert unfinished
    assert set(unfinished) == {"failed"}
    judge(sweep, quiet, watch)


@pytest.mark.fault("node frozen for 90 s, then thawed", outcome="its jobs were done elsewhere; what wakes up is fenced off")
@pytest.mark.slow
def test_a_node_that_was_frozen_overwrites_nothing_when_it_thaws(sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge) -> None:
    with cluster(2) as there, _on(there, sweep).launched() as launch:
        node = _busy_node(there, sweep, "training")
        frozen, old = node.processes(), node.workers()
        freeze(frozen)
        began = time.monotonic()
        assert launch.finish() == 0, launch.log.read_text()
        time.sleep(max(0, began + _FROZEN_SECONDS - time.monotonic()))
        results = sweep.finished()
        send(signal.SIGCONT, old)  # its raylet, which would end it, wakes up later
        time.sleep(_HEAD_START_SECONDS)
        send(signal.SIGCONT, frozen)
        wait_for(lambda: not any(map(is_alive, old)), what="the old worker's end")
    assert sweep.finished() == results
    judge(sweep, quiet, watch)
