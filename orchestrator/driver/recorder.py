"""All database writes of the driver: attempts with their times, results, failures and heartbeats."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Self

from orchestrator.driver.lease_wait import LeaseLoss
from orchestrator.driver.write_queue import Write, WriteQueue
from orchestrator.store import Store, end_driving, heartbeat
from orchestrator.store.connection.urls import scrubbed
from orchestrator.store.leases.leases import Lease
from orchestrator.store.schema.base import utc_now
from orchestrator.store.writing import record as write
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import Result
from workers.errors import ArtifactError, StorageError
from workers.spec.job import Job

_TOGETHER = 500  # results in a transaction, which no heartbeat interrupts
_SAY_SECONDS = 2.0


class AttemptTimes:
    """Clock for attempts, and the start times of those under way by job key."""

    def __init__(self, now: datetime) -> None:
        self._set = now, monotonic()
        self._started: dict[str, tuple[datetime, float]] = {}

    def set(self, now: datetime) -> None:
        """Set the clock to the database's time."""
        self._set = now, monotonic()  # one assignment: another thread reads

    def start(self, key: str) -> datetime:
        """Record the start of an attempt; return its time."""
        at = self._now()
        self._started[key] = at, monotonic()
        return at

    def end(self, key: str) -> datetime:
        """Return the time now; for an attempt, its start plus its duration on the monotonic clock."""
        if (started := self._started.pop(key, None)) is None:
            return self._now()
        at, since = started
        return at + timedelta(seconds=monotonic() - since)

    def _now(self) -> datetime:
        now, since = self._set
        return now + timedelta(seconds=monotonic() - since)


class Recorder:
    """Recorder of one sweep's progress, as the holder of `lease` (None: unfenced, as in tests).

    A context manager: inside, a thread does the writes and the heartbeats, and no other thread waits for the database. A database that
    is unreachable for a while costs no result: pending writes are kept in order, with their own times. A driver that has lost its lease
    writes nothing more, and `lease_loss` holds the reason.
    """

    def __init__(self, store: Store, *, sweep: str, artifacts: Artifacts, lease: Lease | None = None) -> None:
        self._store, self._sweep, self._artifacts, self.lease = store, sweep, artifacts, lease
        self._attempts: dict[str, int] = {}
        self._times = AttemptTimes(utc_now() if lease is None else lease.taken_at)
        self.lease_loss = LeaseLoss()
        self._write_queue = WriteQueue(beat=self._beat, failed=self._note, lost=self.lease_loss.notice)
        self.last_error: str | None = None
        self._interrupted = False

    @property
    def unrecorded(self) -> int:
        """Results that are on disk and could not be written to the database yet."""
        return self._write_queue.results

    @property
    def complaint(self) -> str | None:
        """Database error that keeps results waiting; None while none wait."""
        waiting = self.unrecorded
        return f"{waiting} results wait for the database: {self.last_error}" if waiting and self._write_queue.failing else None

    def add(self, jobs: Sequence[Job]) -> None:
        """Have jobs added to the sweep, which come while it runs."""
        self._write_queue.put(Write(lambda: write.add_jobs(self._store, self._sweep, jobs, lease=self.lease)))

    def started(self, job: Job) -> None:
        at = self._times.start(job.key)

        def begin() -> None:
            self._attempts[job.key] = write.start_attempt(self._store, self._sweep, job.key, started_at=at, lease=self.lease)

        self._write_queue.put(Write(begin))

    def finished(self, job: Job) -> Result:
        """Read the job's result from its artifact, and have it written to the database.

        Raises:
            ArtifactError: the job left no readable result.
        """
        result = self._artifacts.result(job.key)
        at = self._times.end(job.key)

        def record() -> None:
            attempt = self._attempts.get(job.key)
            try:
                read = self._artifacts.result(job.key)  # again: a queue of results would fill the memory
            except StorageError:
                raise  # it may be there later
            except ArtifactError as error:
                self.last_error = f"{error} (it was there before)"
                return
            write.record_result(self._store, job, read, attempt_id=attempt, finished_at=at, lease=self.lease)
            self._attempts.pop(job.key, None)

        self._write_queue.put(Write(record, results=1))
        return result

    def record_found(self, jobs: Sequence[Job], *, say: Callable[[str], None]) -> None:
        """Have results recorded that were found on disk, many in one transaction; say how far that is, until it is done or cannot be.

        Interrupted, it leaves those that are not under way yet to the next launch, which finds them again.
        """
        ordered = sorted(jobs, key=lambda job: job.parents.get("model", job.key))
        for start in range(0, len(ordered), _TOGETHER):
            chunk = ordered[start : start + _TOGETHER]
            self._write_queue.put(Write(partial(self._record_chunk, chunk, self._times.end("")), results=len(chunk)))
        try:
            while not self._write_queue.wait(seconds=_SAY_SECONDS):
                say(f"recording {len(jobs) - self.unrecorded:,} of {len(jobs):,} found results")
        except KeyboardInterrupt:
            self._interrupted = True
            raise

    def _record_chunk(self, jobs: Sequence[Job], at: datetime) -> None:
        if self._interrupted:
            return
        found = []
        for job in jobs:
            try:
                found.append((job, self._artifacts.tidy(job)))
            except ArtifactError as error:
                self.last_error = f"{error} (it was there before)"
        write.record_found(self._store, found, finished_at=at, lease=self.lease)

    def tidy(self, job: Job) -> None:
        """Clear away what the attempts at a done job left, of which the last one died before it could."""
        with suppress(ArtifactError):
            self._artifacts.tidy(job)

    def discard_damaged(self, job: Job) -> bool:
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
        at = self._times.end(job.key)
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

    def __enter__(self) -> Self:
        self._write_queue.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Write what is left, and that the sweep has no driver any more."""
        if (lease := self.lease) is not None:
            self._write_queue.put(Write(lambda: end_driving(self._store, lease)))
        self._write_queue.close()

    def _beat(self) -> None:
        if self.lease is not None:
            self._times.set(heartbeat(self._store, self.lease))

    def _note(self, error: Exception) -> None:
        self.last_error = scrubbed(str(error.__cause__ or error), self._store.engine.url)
