"""Write queue of the database: a separate thread carries out the writes in order and retries each until the database accepts it."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from orchestrator.store.leases import leases
from orchestrator.store.leases.leases import LeaseLost

PASSING = (OperationalError, InterfaceError, InternalError, PoolTimeout)
"""Transient errors: the database is unreachable, locked, full or read-only, and may accept the same write later."""

_RETRY_SECONDS = 1.0
_LAST_SECONDS = 90.0  # longer than two waits for a lock: a database that does not respond must not prevent the program from exiting


@dataclass(frozen=True)
class Write:
    """One transaction, and the number of results that it records, which are on disk too."""

    carry_out: Callable[[], None]
    results: int = 0


class WriteQueue:
    """Writes in order, so that an attempt begins before it ends. A write that can never succeed is set aside and delays no other.

    Until `start` is called there is no thread, and `put` writes at once.
    """

    def __init__(self, *, beat: Callable[[], None], failed: Callable[[Exception], None], lost: Callable[[LeaseLost], None]) -> None:
        self._beat, self._failed, self._lost = beat, failed, lost
        self._writes: deque[Write] = deque()
        self._refused: list[Write] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._over = self._dead = False
        self.failing = False

    @property
    def results(self) -> int:
        """Number of results that are not in the database yet."""
        with self._changed:
            return sum(write.results for write in (*self._writes, *self._refused))

    def put(self, write: Write) -> None:
        """Append a write to the queue; discard it if the lease is lost."""
        with self._changed:
            if self._dead:
                return
            self._writes.append(write)
            self._changed.notify_all()
        if self._thread is None:
            self.flush()

    def flush(self, *, until: float = float("inf")) -> bool:
        """Write until the queue is empty, the database fails or the time `until` has come; return False if the database failed."""
        while self._writes and monotonic() < until:
            if not self._try(self._writes[0]):
                return False
        return True

    def _try(self, write: Write) -> bool:
        """Carry out the first write; return False if it must be retried."""
        try:
            write.carry_out()
        except LeaseLost as error:
            self._abandon(error)
            return True
        except PASSING as error:
            self.failing = True
            self._failed(error)
            return False
        except Exception as error:
            self._failed(error)
            self._refused.append(write)
        else:
            self.failing = False
        with self._changed:
            self._writes.popleft()
            self._changed.notify_all()
        return True

    def wait(self, *, seconds: float) -> bool:
        """Wait until all is written, the database fails or the time is over; return True if there is nothing more to wait for."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._writes or self.failing, timeout=seconds)

    def _abandon(self, error: LeaseLost) -> None:
        with self._changed:
            self._dead = True
            self._writes.clear()
            self._refused.clear()
        self._lost(error)

    def start(self) -> None:
        """Start the thread that writes, and that sends the driver's heartbeat every few seconds."""
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Try the refused writes once more, then end the thread."""
        if self._thread is None:
            return
        with self._changed:
            self._writes.extendleft(reversed(self._refused))
            self._refused.clear()
            self._over = True
            self._changed.notify_all()
        self._thread.join(timeout=_LAST_SECONDS)

    def _work(self) -> None:
        due = monotonic()  # at once: a large sweep takes long to be taken
        while not (self._over or self._dead):
            if monotonic() >= due:
                self._try_beat()
                due = monotonic() + leases.HEARTBEAT.total_seconds()
            written = self.flush(until=due)  # a long queue must not delay the driver's next heartbeat
            with self._changed:
                idle = written and not self._writes
                if not self._over and (idle or not written):
                    self._changed.wait(max(0.0, due - monotonic()) if idle else _RETRY_SECONDS)
        self.flush()

    def _try_beat(self) -> None:
        try:
            self._beat()
        except LeaseLost as error:
            self._abandon(error)
        except Exception as error:
            self._failed(error)
