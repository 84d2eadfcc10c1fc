"""All database writes of the driver: attempts, results, failures and heartbeats."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Self

from orchestrator.driver.write_queue import Write, WriteQueue
from orchestrator.store import Store, end_driving, heartbeat
from orchestrator.store.connection.urls import scrubbed
from orchestrator.store.leases.leases import Lease, LeaseLost
from orchestrator.store.schema.base import utc_now
from orchestrator.store.writing import record as write
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.results import Result
from workers.errors import ArtifactError, StorageError
from workers.spec.job import Job


class _Clock:
    """Database time, advanced between heartbeats by the monotonic clock."""

    def __init__(self, time: datetime) -> None:
        self._set = time, monotonic()

    def set(self, time: datetime) -> None:
        self._set = time, monotonic()  # one assignment: another thread reads

    def now(self) -> datetime:
        time, at = self._set
        return time + timedelta(seconds=monotonic() - at)


class Recorder:
    """Recorder of one sweep's progress, as the holder of `lease` (None: unfenced, as in tests).

    A context manager: inside, a thread does the writes and the heartbeats, and no other thread waits for the database. A database that
    is unreachable for a while costs no result: pending writes are kept in order, with their own times. A driver that has lost its lease
    writes nothing more, and `lost` holds the reason; the callback of `on_loss` is then called, in that thread.
    """

    def __init__(self, store: Store, *, sweep: str, artifacts: Artifacts, lease: Lease | None = None) -> None:
        self._store, self._sweep, self._artifacts, self.lease = store, sweep, artifacts, lease
        self._attempts: dict[str, int] = {}
        self._begun: dict[str, tuple[datetime, float]] = {}
        self._clock = _Clock(utc_now() if lease is None else lease.taken_at)
        self._write_queue = WriteQueue(beat=self._beat, failed=self._note, lost=self._lose)
        self._loss = Lock()
        self._on_loss: Callable[[], None] | None = None
        self.last_error: str | None = None
        self.lost: str | None = None

    @property
    def unrecorded(self) -> int:
        """Number of results that are on disk and could not be written to the database yet."""
        return self._write_queue.results

    @property
    def failing(self) -> bool:
        """True where the last write to the database failed."""
        return self._write_queue.failing

    def started(self, job: Job) -> None:
        at = self._clock.now()
        self._begun[job.key] = at, monotonic()

        def begin() -> None:
            self._attempts[job.key] = write.start_attempt(self._store, self._sweep, job.key, started_at=at, lease=self.lease)

        self._write_queue.put(Write(begin))

    def finished(self, job: Job) -> Result:
        """Read the job's result from its artifact, and queue its write to the database.

        Raises:
            ArtifactError: the job has no readable result.
        """
        result = self._artifacts.result(job.key)
        at = self._ended(job)

        def record() -> None:
            attempt = self._attempts.get(job.key)
            try:
                read = self._artifacts.result(job.key)  # again: a long queue of results would fill the memory
            except StorageError:
                raise  # it may be there later
            except ArtifactError as error:
                self.last_error = f"{error} (it was there before)"
                return
            write.record_result(self._store, job, read, attempt_id=attempt, finished_at=at, lease=self.lease)
            self._attempts.pop(job.key, None)

        self._write_queue.put(Write(record, result=True))
        return result

    def tidy(self, job: Job) -> None:
        """Remove the temporary files of a done job's attempts, if the last of them died before it could."""
        with suppress(ArtifactError):
            self._artifacts.tidy(job)

    def discarded_damage(self, job: Job) -> bool:
        """Remove the done job's files if they are damaged, as a worker reported; return whether they were. Its database row stays."""
        try:
            if self._artifacts.damage(job.key) is None:
                return False
            self._artifacts.discard(job.key)
        except StorageError as error:
            self.last_error = str(error)
            return False
        return True

    def failed(self, job: Job, *, error: str, traceback: str, final: bool, interrupted: bool = False) -> None:
        """Record that an attempt failed, or was `interrupted`, which does not count as a failure."""
        at = self._ended(job)
        outcome: write.Ending = "interrupted" if interrupted else "failed"

        def record() -> None:
            write.record_failure(
                self._store,
                job.key,
                attempt_id=self._attempts.get(job.key),
                error=error,
                traceback=traceback,
                final=final,
                outcome=outcome,
                finished_at=at,
                lease=self.lease,
            )
            self._attempts.pop(job.key, None)

        self._write_queue.put(Write(record))

    def _ended(self, job: Job) -> datetime:
        """Return the time now; for an attempt, its start plus its duration on the monotonic clock."""
        if (begun := self._begun.pop(job.key, None)) is None:
            return self._clock.now()
        at, since = begun
        return at + timedelta(seconds=monotonic() - since)

    def __enter__(self) -> Self:
        self._write_queue.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Carry out the remaining writes and release the lease."""
        if (lease := self.lease) is not None:
            self._write_queue.put(Write(lambda: end_driving(self._store, lease)))
        self._write_queue.close()

    def on_loss(self, call: Callable[[], None] | None) -> None:
        """Set the function to call once the lease is lost; after `on_loss(None)` has returned none is called."""
        with self._loss:
            self._on_loss = call
            if call is not None and self.lost is not None:
                call()

    def _lose(self, error: LeaseLost) -> None:
        with self._loss:
            self.lost = str(error)
            if self._on_loss is not None:
                self._on_loss()

    def _beat(self) -> None:
        if self.lease is not None:
            self._clock.set(heartbeat(self._store, self.lease))

    def _note(self, error: Exception) -> None:
        self.last_error = scrubbed(str(error.__cause__ or error), self._store.engine.url)
