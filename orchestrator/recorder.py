"""What the driver tells the database, in one place: attempts, results, failures, and that it is alive."""

import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from orchestrator.store import Store, write
from orchestrator.store.urls import scrubbed
from workers.artifacts import Artifacts
from workers.errors import ArtifactError, StorageError
from workers.results import Result
from workers.specs import Job

_HEARTBEAT_SECONDS = 5.0


class Recorder:
    """Records one sweep's progress. A database that fails for a while costs no result: the artifact has it, and it is tried again."""

    def __init__(self, store: Store, *, sweep: str, artifacts: Artifacts) -> None:
        self._store, self._sweep, self._artifacts = store, sweep, artifacts
        self._attempts: dict[str, int] = {}
        self._backlog: dict[str, Job] = {}
        self.last_error: str | None = None

    @property
    def unrecorded(self) -> int:
        """Results that are on disk and could not be written to the database yet."""
        return len(self._backlog)

    def started(self, job: Job) -> None:
        try:
            self._attempts[job.key] = write.start_attempt(self._store, self._sweep, job.key)
        except SQLAlchemyError as error:
            self._note(error)

    def finished(self, job: Job) -> Result:
        """Read the job's result from its artifact and write it to the database, with those that could not be written before.

        Raises:
            ArtifactError: the job left no readable result.
        """
        result = self._artifacts.result(job.key)
        self._backlog[job.key] = job
        self.flush()
        return result

    def flush(self) -> None:
        """Write every result that is not in the database yet."""
        for key, job in list(self._backlog.items()):
            try:
                write.record_result(self._store, job, self._artifacts.result(key), attempt_id=self._attempts.pop(key, None))
            except SQLAlchemyError as error:
                self._note(error)
                return
            except StorageError as error:
                self.last_error = str(error)
                return
            except ArtifactError as error:
                self.last_error = f"{error} (it was there before)"
            del self._backlog[key]

    def tidy(self, job: Job) -> None:
        """Clear away what the attempts at a done job left, of which the last one died before it could."""
        with suppress(ArtifactError):
            self._artifacts.tidy(job)

    def discarded_damage(self, job: Job) -> bool:
        """Whether the done job's files are damaged, as a worker said, and now removed; its row in the database stays."""
        try:
            if self._artifacts.damage(job.key) is None:
                return False
            self._artifacts.discard(job.key)
        except StorageError as error:
            self.last_error = str(error)
            return False
        return True

    def failed(self, job: Job, *, error: str, traceback: str, final: bool, interrupted: bool = False) -> None:
        try:
            attempt_id = self._attempts.pop(job.key, None)
            outcome: write.Ending = "interrupted" if interrupted else "failed"
            write.record_failure(
                self._store, job.key, attempt_id=attempt_id, error=error, traceback=traceback, final=final, outcome=outcome
            )
        except SQLAlchemyError as problem:
            self._note(problem)

    def heartbeat(self) -> None:
        try:
            write.heartbeat(self._store, self._sweep)
        except SQLAlchemyError as error:
            self._note(error)

    def close(self) -> None:
        """Write what is left, and that nobody drives the sweep any more."""
        self.flush()
        try:
            write.end_driving(self._store, self._sweep)
        except SQLAlchemyError as error:
            self._note(error)

    def _note(self, error: SQLAlchemyError) -> None:
        self.last_error = scrubbed(str(error.__cause__ or error), self._store.engine.url)


class Heartbeat:
    """A context in which the sweep's row says every few seconds that its driver lives."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def _beat(self) -> None:
        while not self._over.wait(_HEARTBEAT_SECONDS):
            self._recorder.heartbeat()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
