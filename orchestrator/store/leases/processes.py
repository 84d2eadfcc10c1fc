"""What a process is called, so that the very same one can be found again on its machine: a process id alone is used again and again."""

import os
import socket
from pathlib import Path

_PROC = Path("/proc")
_START_FIELD = 19  # of /proc/PID/stat, after the command's name: when it began, in clock ticks after the machine's start
_ENDED = frozenset("ZX")


def this_process() -> str:
    """A name of this process: its machine (this start of it, and its room of process ids), its id, and when it began."""
    pid = os.getpid()
    return f"{_machine()}:{pid}:{_start(pid) or ''}"


def is_gone(process: str | None) -> bool:
    """Whether the process of that name is known to have ended; of another machine's, nothing is known."""
    if process is None:
        return False
    machine, pid, start = process.rsplit(":", 2)
    if machine != _machine():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's: it is there, and may be looked at all the same
        pass
    return _start(int(pid)) not in (None, start)


def _machine() -> str:
    """Containers on one machine may share its name and not its process ids; after a restart they all begin anew."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux
        return socket.gethostname()


def _start(pid: int) -> str | None:
    """When the process began, `ended` for one that only its parent has not heard of yet; None where that cannot be known."""
    try:
        state, *fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return "ended" if state in _ENDED else fields[_START_FIELD - 1]
