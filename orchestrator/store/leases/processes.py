"""Unique names of processes, so that the very same one can be found again on its machine: process ids alone are used repeatedly."""

import os
import socket
from pathlib import Path

_PROC = Path("/proc")
_START_FIELD = 19  # of /proc/PID/stat, after the command's name: its start, in clock ticks after the machine's
_ENDED = frozenset("ZX")


def this_process() -> str:
    """Return the name of this process: its machine (boot and PID namespace), its id, and its start time."""
    pid = os.getpid()
    return f"{_machine()}:{pid}:{_start(pid) or ''}"


def is_gone(process: str | None) -> bool:
    """True where the process of that name is known to have ended; nothing is known of a process on another machine."""
    if process is None:
        return False
    machine, pid, start = process.rsplit(":", 2)
    if machine != _machine():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's: it exists, and can be inspected all the same
        pass
    return _start(int(pid)) not in (None, start)


def _machine() -> str:
    """Name the boot and PID namespace: containers on one machine may share its name and not its ids, which begin anew after a boot."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux
        return socket.gethostname()


def _start(pid: int) -> str | None:
    """Return the start time of the process, `ended` for one that its parent has yet to reap; None where that cannot be known."""
    try:
        state, *fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return "ended" if state in _ENDED else fields[_START_FIELD - 1]
