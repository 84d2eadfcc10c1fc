"""Watch over Ray while Tune runs, which would wait for ever for a Ray that is dead."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from time import monotonic
from types import FrameType, TracebackType
from typing import Self

from psutil import STATUS_ZOMBIE, NoSuchProcess, Process

from orchestrator.executors.base import Resources
from orchestrator.executors.ray_tune.capacity import lacking
from orchestrator.executors.ray_tune.ray_internals import CORE_PROCESSES, dead_head_answers, dead_processes

_LOOK_SECONDS = 0.5
_STEP_SECONDS = 5.0  # Tune's step takes a moment, unless it waits for what is dead
_LAST_SECONDS = 20.0
HEAD_SECONDS = 25.0  # after 60 Ray itself would abort this process, with pages of its C++ code
ROOM_SECONDS = 15.0  # on top of the half minute after which Ray says that a node is dead


class RayDied(BaseException):
    """End of Ray, or of the nodes that could run jobs: no error of a job, which Tune would take it for."""


class RayWatch:
    """Context manager, in the main thread: inside, `check` raises `RayDied` once `lost()` has returned a reason.

    Tune calls it between its steps, so that no report to the sweep is cut short. A step that waits for what is dead is interrupted: by a
    signal that does nothing elsewhere, or by refusals in the place of our own dead head. One that neither interrupts ends this process,
    as Ray would somewhat later: all that is done is on disk.
    """

    def __init__(self, lost: Callable[[], str | None], *, refusing: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """Watch for a reason from `lost()`; after it, and where that is needed, act inside `refusing()`."""
        self._lost, self._refusing, self._over = lost, refusing, threading.Event()
        self._reason: str | None = None
        self._thread = threading.Thread(target=self._watch, args=(threading.get_ident(),), name="ray-watch", daemon=True)

    def check(self) -> None:
        if self._reason is not None and not self._over.is_set():
            raise RayDied(self._reason)

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGURG, self._interrupt)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        signal.signal(signal.SIGURG, self._before)
        if self._reason is not None and isinstance(error, Exception):
            raise RayDied(self._reason) from error

    def _interrupt(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.check()

    def _watch(self, main: int) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self._reason = self._lost()
            if self._reason is not None:
                break
        deadline = monotonic() + _LAST_SECONDS
        if self._over.wait(_STEP_SECONDS):
            return
        with self._refusing():
            while not self._over.wait(_STEP_SECONDS):
                signal.pthread_kill(main, signal.SIGURG)
                if monotonic() > deadline:
                    print(f"robustsweep: {self._reason}; the same command continues", file=sys.stderr, flush=True)
                    os._exit(1)


def local_loss() -> str | None:
    """Return the reason for which our own Ray runs no job any more; None while it does."""
    return f"Ray on this machine has died ({', '.join(dead)} ended)" if (dead := dead_processes()) else None


def local_refusals() -> AbstractContextManager[None]:
    """Return the context for the refusals of our own Ray, where its head has died."""
    import ray

    return dead_head_answers(ray.get_runtime_context().gcs_address) if "gcs_server" in dead_processes() else nullcontext()


class StartLoss:
    """Reason for which our own Ray will not have started: a process of it, begun since this was made, has ended. Ray itself would wait
    for a dead head for a minute, in C++ code, and then end this process without a word."""

    def __init__(self) -> None:
        self._before = {child.pid for child in Process().children()}
        self._seen: set[tuple[int, str]] = set()

    def __call__(self) -> str | None:
        """Return the reason; None while there is none."""
        living = set()
        for child in Process().children():
            with suppress(NoSuchProcess):
                if child.pid not in self._before and (name := child.name()) in CORE_PROCESSES:
                    self._seen.add((child.pid, name))
                    if child.status() != STATUS_ZOMBIE:
                        living.add((child.pid, name))
        ended = sorted(name for _, name in self._seen - living)
        return f"Ray on this machine has died while it started ({', '.join(ended)} ended)" if ended else None


class ClusterLoss:
    """Reason for which a cluster runs no job any more: its head does not answer, or none of its nodes can hold one.

    A context manager: inside, a thread of its own asks the head, since nothing ends a question to one that is dead.
    """

    def __init__(self, resources: Resources, *, wait_minutes: float) -> None:
        self._resources, self._room_seconds = resources, max(ROOM_SECONDS, 60 * wait_minutes)
        self._answered = self._room = monotonic()
        self._lacking: str | None = None
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._ask, name="ray-nodes", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()

    def __call__(self) -> str | None:
        """Return the reason; None while there is none."""
        if monotonic() - self._answered > HEAD_SECONDS:
            return f"the head of the Ray cluster has not answered for {HEAD_SECONDS:.0f} s"
        if (without := self._answered - self._room) > self._room_seconds:
            return f"the Ray cluster has had no node for a job for {without:.0f} s: {self._lacking}"
        return None

    def _ask(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            with suppress(Exception):  # Ray has no class for "the head is away"; that it stays away is seen by the time
                self._lacking = lacking(self._resources)
                self._answered = monotonic()
                if self._lacking is None:
                    self._room = self._answered
