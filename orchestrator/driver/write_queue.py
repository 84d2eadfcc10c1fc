"""What is still to be written to the database: in order, in a thread of its own, each again and again until the database takes it."""

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
"""Errors of a database that is away, locked, full or read-only: what it refuses now it may take later."""

_RETRY_SECONDS = 1.0
_LAST_SECONDS = 90.0  # longer than two waits for a lock: a database that hangs must not keep the program from its end


@dataclass(frozen=True)
class Write:
    """One transaction; `result` is whether it records a result, which is on disk too."""

    carry_out: Callable[[], None]
    result: bool = False


class Backlog:
    """Writes in order, so that an attempt is begun before it ends. A write that can never succeed is put aside and holds up no other.

    Until it is started, and where there is no thread, `put` writes at once.
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
        """How many results the database does not have."""
        with self._changed:
            return sum(write.result for write in (*self._writes, *self._refused))

    def put(self, write: Write) -> None:
        """Have it written after all that was put before; forgotten where the lease is lost."""
        with self._changed:
            if self._dead:
                return
            self._writes.append(write)
            self._changed.notify()
        if self._thread is None:
            self.flush()

    def flush(self, *, until: float = float("inf")) -> bool:
        """Write until the database fails or the time has come; returns whether it has not failed."""
        while self._writes and monotonic() < until:
            if not self._try(self._writes[0]):
                return False
        return True

    def _try(self, write: Write) -> bool:
        """Whether the write is done with."""
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
        return True

    def _abandon(self, error: LeaseLost) -> None:
        with self._changed:
            self._dead = True
            self._writes.clear()
            self._refused.clear()
        self._lost(error)

    def start(self) -> None:
        """From now on a thread writes, and says every few seconds that the driver lives."""
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Try once more what could not be written; the thread ends."""
        if self._thread is None:
            return
        with self._changed:
            self._writes.extendleft(reversed(self._refused))
            self._refused.clear()
            self._over = True
            self._changed.notify()
        self._thread.join(timeout=_LAST_SECONDS)

    def _work(self) -> None:
        due = monotonic() + leases.HEARTBEAT.total_seconds()
        while not (self._over or self._dead):
            if monotonic() >= due:
                self._try_beat()
                due = monotonic() + leases.HEARTBEAT.total_seconds()
            written = self.flush(until=due)  # a long backlog must not keep the driver from its next heartbeat
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
