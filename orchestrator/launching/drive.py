"""Run of a sweep's executor, with a progress display, ended cleanly by signals."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from rich.console import Console

from orchestrator.driver.progress import show_progress
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import Executor
from orchestrator.passwords import without_secrets
from orchestrator.store.leases.leases import LeaseLost


def drive(sweep: SweepRun, make_executor: Callable[[], Executor], *, name: str, console: Console) -> bool:
    """Make the executor and run it; return whether that was interrupted."""
    try:
        with without_secrets(), show_progress(sweep, name=name, console=console), _stopped_by_signals(sweep):
            make_executor().execute(sweep)
    except (KeyboardInterrupt, LeaseLost):
        return True
    finally:
        sweep.harvest()
    return sweep.interrupted and not sweep.drained


@contextmanager
def _stopped_by_signals(sweep: SweepRun) -> Iterator[None]:
    """Inside, Ctrl-C, SIGTERM and the loss of the lease end the sweep cleanly, wherever in Ray they are met."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
        sweep.interrupt()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    driver = threading.get_ident()
    lease_loss = sweep.recorder.lease_loss
    try:
        lease_loss.call(lambda: signal.pthread_kill(driver, signal.SIGINT))
        try:
            yield
        finally:
            lease_loss.call(None)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
