"""Memory of this process, and a job's limit on it: by the resident size that Linux tells, looked at several times a second."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import getpagesize

from workers.errors import ShortOfMemoryError

_LOOK_SECONDS = 0.1
_STATM = Path("/proc/self/statm")
_GB = 1e9


class _MemoryExceeded(BaseException):
    """Interruption of a job that takes more memory than it may."""


def memory_taken() -> int:
    """Bytes of this process that are in memory."""
    return int(_STATM.read_text().split()[1]) * getpagesize()


@contextmanager
def limited_memory(most: int | None) -> Iterator[None]:
    """Inside, interrupt this thread once the process takes more than `most` bytes (None: never).

    The interruption waits for an operation of PyTorch that is under way. One that alone takes all memory of the machine is not stopped
    by this, but by the system, which ends the process.

    Raises:
        ShortOfMemoryError: it took more.
    """
    if most is None:
        yield
        return
    watch = _Watch(most, thread=threading.get_ident())
    watch.start()
    try:
        yield
    except _MemoryExceeded:
        pass
    finally:
        watch.end()
    if watch.seen is not None:
        raise ShortOfMemoryError(f"its process took {watch.seen / _GB:.2f} GB of memory, --memory-per-job allows {most / _GB:.2f} GB")


class _Watch(threading.Thread):
    """Thread that interrupts another one when the process takes more than `most` bytes; `seen` is then how many."""

    def __init__(self, most: int, *, thread: int) -> None:
        super().__init__(name="memory", daemon=True)
        self._most, self._thread = most, thread
        self._over = threading.Event()
        self.seen: int | None = None

    def run(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            if (taken := memory_taken()) > self._most:
                self.seen = taken
                self._interrupt(ctypes.py_object(_MemoryExceeded))
                return

    def end(self) -> None:
        """End the watch; an interruption that has not arrived yet will not."""
        self._over.set()
        self.join()
        if self.seen is not None:
            self._interrupt(None)

    def _interrupt(self, kind: object) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), kind)
