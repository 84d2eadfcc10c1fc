"""A driver that is killed: the same command goes on, computes nothing again, and comes to the same results."""

import os
import signal
from contextlib import ExitStack

import pytest

from tests.commands import robustsweep
from tests.faults.judging import Judge
from tests.faults.processes import in_session, wait_for, workers
from tests.faults.sweeps import Sweep, Watch, kill_driver_at, random_moments, wait_for_results

pytestmark = pytest.mark.timeout(900)  # several launches; seconds where nothing else computes

_SEED = 7
_KILLS = 3
_FAULT, _OUTCOME = "driver killed (SIGKILL) at a random moment", "the same command goes on"


def _killed_then_finished(sweep: Sweep, moments: list[tuple[int, float]]) -> None:
    """Kill a driver at each of the moments and launch again at once, the last time to the end; nothing is left running."""
    with ExitStack() as running:
        launches = [running.enter_context(sweep.launched())]
        for moment in moments:
            kill_driver_at(launches[-1], sweep, moment)
            launches.append(running.enter_context(sweep.launched()))
        assert launches[-1].finish() == 0, launches[-1].log.read_text()
        wait_for(lambda: not any(workers(launch.session) for launch in launches), what="the end of all workers")


@pytest.mark.fault(_FAULT, outcome=_OUTCOME, tries=_KILLS)
@pytest.mark.slow  # quicker: tests/contracts/test_driver_faults.py
def test_a_driver_killed_thrice_in_one_sweep_loses_and_repeats_nothing(sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge) -> None:
    moments = sorted(random_moments(_KILLS, jobs=len(quiet.finished()), seed=_SEED))
    _killed_then_finished(sweep, moments)
    judge(sweep, quiet, watch)


@pytest.mark.fault(_FAULT, outcome=_OUTCOME)
@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_a_driver_killed_at_any_moment_loses_and_repeats_nothing(
    number: int, sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge
) -> None:
    _killed_then_finished(sweep, random_moments(20, jobs=len(quiet.finished()), seed=_SEED + 1)[number : number + 1])
    judge(sweep, quiet, watch)


@pytest.mark.slow
def test_all_processes_of_a_killed_driver_end_by_themselves(sweep: Sweep) -> None:
    with sweep.launched() as launch:
        wait_for_results(sweep, launch, 3)
        launch.kill_driver()
        wait_for(lambda: not in_session(launch.session), seconds=300, what="the end of what Ray left behind")


@pytest.mark.fault("Ctrl-C, SIGTERM, SIGHUP", outcome="stops within seconds; the same command goes on")
@pytest.mark.slow  # quicker: tests/orchestrator/launching/test_drive.py
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_cleanly_and_says_how_to_continue(
    number: signal.Signals, code: int, sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge
) -> None:
    with sweep.launched() as launch:
        wait_for_results(sweep, launch, 3)
        (os.killpg if number == signal.SIGINT else os.kill)(launch.session, number)
        assert launch.finish() == code
        wait_for(lambda: not in_session(launch.session), what="the end of all processes")
    printed = launch.log.read_text()
    assert "continue with: robustsweep launch tiny.yaml" in printed
    assert "Traceback" not in printed
    assert "***" not in printed, "the stack of Ray's C++ code"
    assert "sweep tiny: not running" in robustsweep("status", cwd=sweep.folder).stdout
    sweep.run_quietly()
    judge(sweep, quiet, watch)
