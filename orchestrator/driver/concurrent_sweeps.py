"""Jobs that other sweeps are computing at the moment, so that no job that two sweeps share is computed by both."""

import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from orchestrator.store import Store
from orchestrator.store.reading.dashboard_queries import running_elsewhere

_ALONE_SECONDS, _TOGETHER_SECONDS = 2.0, 0.5


class ConcurrentSweeps:
    """Jobs that workers of the store's other sweeps are running.

    A context manager: inside, a thread polls, more often while there are such jobs, so that the sweep itself never waits for the
    database. While that is unreachable no such job is known: two attempts at a job then fence each other, and one result is kept.
    """

    def __init__(self, store: Store, *, sweep: str) -> None:
        self._store, self._sweep = store, sweep
        self._running: frozenset[str] = frozenset()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="concurrent-sweeps", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(timeout=_ALONE_SECONDS)

    def running(self) -> frozenset[str]:
        """Return the keys of these jobs, as of the last poll."""
        return self._running

    def _watch(self) -> None:
        while not self._ended.wait(_TOGETHER_SECONDS if self._running else _ALONE_SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            self._running = running_elsewhere(self._store, sweep=self._sweep)
        except SQLAlchemyError:
            self._running = frozenset()


def no_other_sweeps() -> frozenset[str]:
    """Return no keys: for a sweep that has the store to itself."""
    return frozenset()
