"""Supply of jobs for idle workers: from the queue and from a source that adds more, except those that another sweep
is computing, and with done ones whose files are damaged."""

import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.job_queue import JobQueue, JobSource
from orchestrator.driver.work_meter import WorkMeter
from orchestrator.naming.names import JobNames
from orchestrator.store import Store
from orchestrator.store.reading.dashboard_queries import running_elsewhere
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec


class JobSupply:
    """Supply of a sweep's jobs, with all jobs that the sweep knows by their keys."""

    def __init__(
        self,
        queue: JobQueue,
        meter: WorkMeter,
        *,
        source: JobSource | None,
        known: Iterable[Job],
        elsewhere: Callable[[], frozenset[str]],
        note: Callable[[str], None],
    ) -> None:
        """Take jobs off the `queue` and from the `source`; jobs with a key in `elsewhere()` are parked, which `note` is called with."""
        self._queue, self._meter, self._source = queue, meter, source
        self._known = {job.key: job for job in known}
        self.names = JobNames(self._known.values())
        self._elsewhere, self._note = elsewhere, note
        self._parked: dict[str, Job] = {}

    def take(self, *, slots: int) -> Job | None:
        """Return the next job, now queued for a worker; None while none is ready. `slots` is how many jobs run at once."""
        self._fetch(idle=False)
        job = self._next(slots)
        if job is None and self._fetch(idle=True):
            job = self._next(slots)
        return job

    def _next(self, slots: int) -> Job | None:
        """Return the next job in the queue that no other sweep is computing."""
        while (job := self._queue.take(slots=slots)) is not None and job.key in self._elsewhere():
            self._parked[job.key] = job
            self._note(f"{self.names(job)}: another sweep is computing it")
        return job

    def _fetch(self, *, idle: bool) -> bool:
        """Add the source's new jobs to the queue; return whether there were any."""
        new = self._queue.add(self._source.more(idle=idle)) if self._source is not None else []
        self._known.update((job.key, job) for job in new)
        self._meter.expect(new)
        self.names.add(new)
        return bool(new)

    def is_parked(self, job: Job) -> bool:
        """Return whether the job was taken and waits for another sweep's attempt at it."""
        return job.key in self._parked

    def unpark(self) -> Iterator[Job]:
        """Yield the parked jobs that no other sweep is computing any longer."""
        for key in [key for key in self._parked if key not in self._elsewhere()]:
            yield self._parked.pop(key)

    @property
    def drained(self) -> bool:
        """True where no job will ever be handed out again."""
        return self._queue.drained and (self._source is None or self._source.drained)

    def find(self, key: str) -> Job | None:
        """Return the job with this key; None where the sweep does not have it."""
        return self._known.get(key)

    def model_of(self, job: Job) -> TrainSpec | None:
        """Return the training of the model that the job measures or trains; None where the sweep does not have it."""
        model = self.find(job.parents.get("model", job.key))
        return model.spec if model is not None and isinstance(model.spec, TrainSpec) else None


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


def recreate_parent(parent: Job, *, child: Job, queue: JobQueue, recorder: Recorder, meter: WorkMeter) -> bool:
    """Have a parent computed again if its files are really damaged, and let the child wait for it; return whether the child waits."""
    done = queue.is_done(parent.key)
    if done and not recorder.discard_damaged(parent):
        return False
    if not queue.recreate(parent, child=child.key):
        return False
    if done:
        meter.expect_again(parent)
    return True
