"""One mirror: a queue, and a thread that empties it into the target: the driver never waits for that."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from orchestrator.driver.mirrors.entry import Entry
from orchestrator.driver.mirrors.targets import Target
from workers.errors import first_line

_MOST_WAITING = 10_000
_RETRY_SECONDS = 5.0
_AWAY_SECONDS = 2.0


class Mirror:
    """Mirror of a sweep. `put` neither waits nor raises; what cannot be delivered is counted, and `close` says it in one line.

    A target that does not answer is tried again every few seconds, entries meanwhile waiting in order; beyond `most` of them the newest
    are dropped. An entry that the target refuses is dropped too.
    """

    def __init__(self, name: str, make: Callable[[], Target], *, most: int = _MOST_WAITING, retry_seconds: float = _RETRY_SECONDS) -> None:
        """Mirror to the target that `make` returns, on the mirror's own thread; `name` is what the user calls it."""
        self.name, self._make, self._retry_seconds = name, make, retry_seconds
        self._waiting: queue.Queue[Entry | None] = queue.Queue(most)
        self._ending = threading.Event()
        self._given = self._delivered = 0
        self._error, self._away = "", False
        self._target: Target | None = None
        self._thread = threading.Thread(target=self._work, name=f"mirror {name}", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        self._given += 1
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            self._error = self._error or "it is too slow"

    def close(self, *, seconds: float) -> str | None:
        """End the mirror, within so many seconds, 2 where the target was away at the last try.

        Returns what was not mirrored and why, None where all was.
        """
        self._ending.set()
        with suppress(queue.Full):  # the thread ends by itself where it finds nothing more
            self._waiting.put_nowait(None)
        self._thread.join(timeout=min(seconds, _AWAY_SECONDS) if self._away else seconds)
        lost = self._given - self._delivered
        return f"{self.name}: {lost} of {self._given} entries were not mirrored: {self._error or 'it is too slow'}" if lost else None

    def _work(self) -> None:
        while (entry := self._next()) is not None and self._try(entry):
            self._waiting.task_done()
        if self._target is not None:
            with suppress(Exception):  # all that could be delivered is there; what fails now is the target's own matter
                self._target.close()

    def _next(self) -> Entry | None:
        """The next entry; None where the mirror has ended and there is none."""
        try:
            return self._waiting.get(block=not self._ending.is_set())
        except queue.Empty:
            return None

    def _try(self, entry: Entry) -> bool:
        """Deliver an entry, however often that must be tried, or drop it; return False where the mirror has ended with the target away."""
        while True:
            last = self._ending.is_set()
            try:
                self._write(entry)
            except OSError as error:
                self._error, self._away = first_line(error), True
            except Exception as error:
                self._error = f"{type(error).__name__}: {first_line(error)}"
                return True
            else:
                self._delivered, self._away = self._delivered + 1, False
                return True
            if last:
                return False
            self._ending.wait(self._retry_seconds)

    def _write(self, entry: Entry) -> None:
        if self._target is None:
            self._target = self._make()
        self._target.write(entry)
