"""Run of a sweep's executor, with a progress display, ended cleanly by signals."""

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console

from orchestrator.driver.progress_display import show_progress
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import Executor, ExecutorLostError
from orchestrator.store.leases.leases import LeaseLost
from orchestrator.terminal.passwords import without_secrets

SIGNAL_CODE = 128
"""Exit codes above it are of launches that a signal stopped: shells add the signal's number."""


@dataclass(frozen=True)
class Stopped:
    """End of a run before that of its sweep."""

    code: int
    reason: str = ""


class StopSignals:
    """Signals that stop a launch: Ctrl-C, SIGTERM, and SIGHUP where `nohup` does not ignore it. The next one ends the process at once."""

    def __init__(self) -> None:
        self._sweep: SweepRun | None = None
        self._number: int | None = None

    @property
    def code(self) -> int:
        """Exit code of a launch that was stopped: that by which shells report the signal."""
        return SIGNAL_CODE + (self._number or signal.SIGINT)

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Inside, a signal raises KeyboardInterrupt."""
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        numbers = [signal.SIGINT, signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]
        before = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def stopping(self, sweep: SweepRun) -> Iterator[None]:
        """Inside, a signal or the loss of the lease stops the sweep cleanly, wherever in Ray it is met; from here on, a sweep whose jobs
        have all ended is not stopped but concluded."""
        self._sweep, driver = sweep, threading.get_ident()
        lease_loss = sweep.recorder.lease_loss
        lease_loss.call(lambda: signal.pthread_kill(driver, signal.SIGINT) if self._number is None else None)
        try:
            yield
        finally:
            lease_loss.call(None)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._number = number
        for each in (signal.SIGINT, signal.SIGTERM):  # even if it waits in C code, where no handler of Python's is called
            signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes sends several
        _leave_closed_terminal()
        if self._sweep is None:
            raise KeyboardInterrupt
        if not self._sweep.drained:
            self._sweep.interrupt()


def _leave_closed_terminal() -> None:
    """Write to nowhere what would be written to a terminal that is closed, where every line is an error."""
    for output in (1, 2):
        if stat.S_ISCHR(os.fstat(output).st_mode) and not os.isatty(output):
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), output)


def drive(sweep: SweepRun, make_executor: Callable[[], Executor], *, name: str, console: Console, signals: StopSignals) -> Stopped | None:
    """Make the executor and run it to the sweep's end; return what stopped it before."""
    stopped = Stopped(signals.code)
    try:
        with without_secrets(), show_progress(sweep, name=name, console=console), signals.stopping(sweep):
            make_executor().execute(sweep)
    except (KeyboardInterrupt, LeaseLost):
        stopped = Stopped(signals.code)
    except ExecutorLostError as error:
        stopped = Stopped(signals.code) if sweep.interrupted else Stopped(1, f"{error}; ")  # where others swallowed the interruption
    finally:
        sweep.harvest()
    return None if sweep.drained else stopped
