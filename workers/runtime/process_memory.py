"""Memory of a job: a limit on this process's, by the resident size that Linux tells several times a second; and on the device's, its peak
use, and recognition of out-of-memory errors."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import getpagesize

import torch

from workers.errors import ShortOfMemoryError
from workers.spec.job import Job
from workers.spec.stage_specs import CONTEXT_BYTES, TrainSpec, batch_size

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


_GIB = 1 << 30
_SAYING_SO = ("CUDA out of memory", "CUDA error: out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def allowed_fraction(share: float, *, total: int) -> float:
    """Return the fraction of a GPU of `total` bytes that PyTorch may take for a job with this share of it, excluding CUDA's context."""
    return 1.0 if share >= 1 else max(share / 2, share - CONTEXT_BYTES / total)


def keep_within(device: torch.device, *, share: float) -> None:
    """Limit a job to its share of a GPU, so that it runs out of memory itself instead of the jobs that share the GPU, and reset the peak
    memory. Does nothing on a CPU."""
    if device.type == "cuda":
        torch.cuda.empty_cache()  # memory that the process cached for earlier jobs
        torch.cuda.set_per_process_memory_fraction(allowed_fraction(share, total=_total(device)), device.index)
        torch.cuda.reset_peak_memory_stats(device.index)


def most_taken(device: torch.device) -> int | None:
    """Return the peak number of bytes of the GPU that PyTorch held since `keep_within`; None on a CPU, where it is unknown."""
    return int(torch.cuda.max_memory_reserved(device.index)) if device.type == "cuda" else None


def is_shortage(error: Exception) -> bool:
    """Tell whether the error means that a GPU or the machine is out of memory."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in _SAYING_SO)


def shortage(job: Job, device: torch.device, *, share: float, examples_per_pass: int | None) -> str:
    """Describe in one line what did not fit into which memory, and the remedy where only the user can apply it."""
    share_of = "" if share >= 1 else f"a share of {share:g} of "
    place = f"{share_of}a GPU of {_total(device) / _GIB:.1f} GiB" if device.type == "cuda" else "this machine"
    size = f"batch_size={batch_size(job.spec)}" + ("" if examples_per_pass is None else f" in passes of {examples_per_pass} examples")
    if isinstance(job.spec, TrainSpec):
        size += " (a training's batch cannot be divided without changing its result: take a smaller one, a smaller width, or a larger GPU)"
    return f"the memory of {place} is too small for {size}"


def _total(device: torch.device) -> int:
    return int(torch.cuda.get_device_properties(device).total_memory)
