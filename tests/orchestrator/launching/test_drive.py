"""The end of a launch before that of its sweep: by a signal, or because the place where jobs run is gone."""

import io
import os
import pty
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import ExecutorLostError
from orchestrator.launching.drive import StopSignals
from orchestrator.launching.launch import LaunchOptions, launch
from orchestrator.paths import Paths
from tests.builders import result_of
from tests.commands import TINY_JOBS, write_space

JOBS = sum(TINY_JOBS.values())
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def of_a_terminal() -> Iterator[None]:
    """Signals as a process of a terminal has them, though the tests may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def killed_by(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def lost() -> None:
    raise ExecutorLostError("the cluster is gone")


def launched(folder: Path, *, after: int, then: Callable[[], None], says_next: bool = True) -> tuple[int, str]:
    """Launch with an executor to which something happens after so many jobs; the exit code, and what was printed."""
    paths = Paths.resolve(home=folder, store=None)

    class Executor:
        def execute(self, sweep: SweepRun) -> None:
            done = 0
            while not sweep.drained:
                if done == after:
                    then()
                job = sweep.take()
                assert job is not None
                sweep.begin(job)
                attempt = paths.artifacts.folder(job.key, attempt="test")
                attempt.begin(job)
                attempt.commit(result_of(job))
                sweep.succeed(job)
                done += 1
            if done == after:
                then()

    printed = io.StringIO()
    options = LaunchOptions(str(write_space(folder)), paths, executor=lambda *_: Executor(), says_next=says_next)
    return launch(options, Console(file=printed)), printed.getvalue()


@pytest.mark.parametrize(("number", "code"), SIGNALS.items())
def test_a_signal_stops_a_launch_with_the_code_that_shells_report(number: signal.Signals, code: int, tmp_path: Path) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    found, printed = launched(tmp_path, after=1, then=killed_by(number))
    assert found == code, printed
    assert f"stopped after 1 of {JOBS} jobs; continue with: robustsweep launch" in printed
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_who_launches_for_another_command_names_no_command_of_its_own(tmp_path: Path) -> None:
    _, printed = launched(tmp_path, after=1, then=killed_by(signal.SIGINT), says_next=False)
    assert printed.rstrip().endswith(f"stopped after 1 of {JOBS} jobs")


def test_a_signal_that_comes_when_all_jobs_are_done_stops_nothing(tmp_path: Path) -> None:
    code, printed = launched(tmp_path, after=JOBS, then=killed_by(signal.SIGTERM))
    assert code == 0, printed
    assert f"all {JOBS} jobs done" in printed


def test_the_loss_of_the_place_where_jobs_run_is_one_line_and_the_next_launch_goes_on(tmp_path: Path) -> None:
    code, printed = launched(tmp_path, after=2, then=lost)
    assert code == 1
    assert f"the cluster is gone; stopped after 2 of {JOBS} jobs; continue with: robustsweep launch" in printed
    assert launched(tmp_path, after=0, then=lambda: None)[0] == 0


def test_a_signal_that_the_place_where_jobs_run_swallows_and_then_is_lost_stops_the_launch(tmp_path: Path) -> None:
    def swallowed() -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGHUP)
        lost()

    code, printed = launched(tmp_path, after=1, then=swallowed)
    assert code == 129
    assert f"stopped after 1 of {JOBS} jobs; continue with: robustsweep launch" in printed
    assert "the cluster is gone" not in printed


def test_a_second_signal_ends_the_process_at_once_and_a_closing_terminals_does_not() -> None:
    signals = StopSignals()
    with signals.handled():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGHUP)
        assert [signal.getsignal(each) for each in SIGNALS] == [signal.SIG_DFL, signal.SIG_DFL, signal.SIG_IGN]
    assert signals.code == 129


def test_a_launch_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals().handled():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_launch_whose_terminal_closes_stops_as_one_that_is_stopped(tmp_path: Path) -> None:
    space = write_space(tmp_path)
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-m", "tests.sleeping", str(space), "--home", str(tmp_path), "--seconds", "600"])
    shown = b""
    while b"to run" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 129
