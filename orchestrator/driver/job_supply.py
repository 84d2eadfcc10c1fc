"""Supply of jobs for idle workers: from the queue and from a source that adds more, except those that another sweep is computing."""

from collections.abc import Callable, Iterable, Iterator

from orchestrator.driver.work_meter import WorkMeter
from orchestrator.names import job_name
from orchestrator.scheduling.job_queue import JobQueue
from orchestrator.scheduling.job_source import JobSource
from workers.spec.job import Job, TrainSpec


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
            self._note(f"{job_name(job)}: another sweep is computing it")
        return job

    def _fetch(self, *, idle: bool) -> bool:
        """Add the source's new jobs to the queue; return whether there were any."""
        new = self._queue.add(self._source.more(idle=idle)) if self._source is not None else []
        self._known.update((job.key, job) for job in new)
        self._meter.expect(new)
        return bool(new)

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
