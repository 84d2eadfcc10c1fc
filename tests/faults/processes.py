"""The processes of one launch, and what can be done to them: told apart from all others by the session that the launch began."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

RAY_WORKER = "ray::ImplicitFunc"
WORKERS = (RAY_WORKER, "orchestrator.executors.process_worker")


def wait_for(condition: Callable[[], bool], *, seconds: float = 600, every: float = 0.05, what: str = "something") -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:g} seconds in vain for {what}"
        time.sleep(every)


def in_session(session: int) -> set[int]:
    """The ids of all living processes of a session; a process that outlives its parent stays in it."""
    return {pid for pid in psutil.pids() if _session(pid) == session and is_alive(pid)}


def workers(session: int) -> set[int]:
    """The processes of the session that run jobs, or did so a moment ago."""
    return {pid for pid in in_session(session) if any(name in title(pid) for name in WORKERS)}


def title(pid: int) -> str:
    """The command line as `ps` shows it; empty if the process is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    """Send a signal to each of the processes that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def freeze(pids: Iterable[int]) -> None:
    """Stop the processes, and wait until each of them has stopped."""
    stopped = set(pids)
    send(signal.SIGSTOP, stopped)
    wait_for(lambda: all(_state(pid) in ("T", "Z", "") for pid in stopped), every=0.001, what="processes that stop")


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def is_alive(pid: int) -> bool:
    return _state(pid) not in ("Z", "")


def _state(pid: int) -> str:
    """The letter of the process's state; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
