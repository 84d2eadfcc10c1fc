"""State of a running sweep: jobs are handed to an executor, which reports every attempt."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NoReturn, Protocol

from orchestrator.driver.job_supply import JobSupply, no_other_sweeps, recreate_parent
from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.job_queue import JobQueue, JobSource
from orchestrator.driver.work_meter import WorkMeter
from orchestrator.naming.names import JobNames, result_in_words
from orchestrator.planning.job_cost import cost
from workers.artifacts.outcomes import BatchRecord, EpochRecord, Result
from workers.errors import ArtifactError, describe
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec

_MOST_SUPERSEDED = 10  # alternating with the attempts of a second driver: this must end


class Observer(Protocol):
    """Observer of a running sweep, whose calls neither wait nor raise."""

    def epoch(self, job: Job, record: EpochRecord, names: JobNames) -> None: ...

    def finished(self, job: Job, result: Result, names: JobNames) -> None: ...


class SweepRun:
    """Running sweep: moves jobs through the queue and passes reports on, to the recorder for the database and the meter for the estimate.

    Executors call it from one thread. `last_event` is the latest report in one line, `slots` the number of jobs that run at once.
    """

    def __init__(
        self,
        queue: JobQueue,
        recorder: Recorder,
        jobs: tuple[Job, ...],
        *,
        source: JobSource | None = None,
        known: Iterable[Job] = (),
        elsewhere: Callable[[], frozenset[str]] = no_other_sweeps,
        observer: Observer | None = None,
    ) -> None:
        """Run the `jobs` in the queue, and those that the `source` adds. Of all `known` jobs, those whose files prove to be damaged are
        computed again. Jobs that other sweeps are computing (`elsewhere`) wait for the outcome. The `observer` is told of epochs and
        results."""
        self.queue, self.recorder, self.source = queue, recorder, source
        self.meter = WorkMeter(jobs)
        self.supply = JobSupply(queue, self.meter, source=source, known=(*known, *jobs), elsewhere=elsewhere, note=self._note)
        self._superseded: Counter[str] = Counter()
        self._observer = observer
        self.last_event = "starting, which loads PyTorch"
        self._progress: dict[str, str] = {}
        self.slots = 1
        self.interrupted = False

    def interrupt(self) -> NoReturn:
        """Stop: raises KeyboardInterrupt, here and, where other people's code has swallowed that, again at the next `take`."""
        self.interrupted = True
        raise KeyboardInterrupt

    def take(self) -> Job | None:
        """Return the next job for a worker; None while none is ready.

        Raises:
            KeyboardInterrupt: the sweep was interrupted.
        """
        if self.interrupted:
            self.interrupt()
        for job in self.supply.unpark():
            self.give_back(job)
        return self.supply.take(slots=self.slots)

    @property
    def drained(self) -> bool:
        """True where no job will ever be handed out again."""
        return self.supply.drained

    def begin(self, job: Job) -> None:
        """Record a new attempt: a worker has started the job."""
        self.queue.begin(job.key)
        self.recorder.started(job)
        self.meter.begin(job)
        self._note_progress(job, "started")

    @property
    def running(self) -> list[str]:
        """The jobs under way in words, with how far each has come: `pretrain theta 1: epoch 2 of 6`."""
        return [f"{self.supply.names(job)}: {self._progress.get(job.key, 'started')}" for job in self.meter.running]

    def epoch(self, job: Job, record: EpochRecord) -> None:
        """Record that a training job has finished an epoch."""
        epoch = record.epoch
        resumed = 0 if job.resumes is None else job.resumes.epochs
        self.meter.advance(job, max(0, epoch - resumed), before=max(0, epoch - resumed - 1))
        total = f" of {job.spec.until or job.spec.training.epochs}" if isinstance(job.spec, TrainSpec) else ""
        self._note_progress(job, f"epoch {epoch}{total}, loss {record.loss:.3f}, training accuracy {record.accuracy:.1%}")
        if self._observer is not None:
            self._observer.epoch(job, record, self.supply.names)

    def batch(self, job: Job, record: BatchRecord) -> None:
        """Record that a job has processed more of its examples."""
        share = cost(job) / record.total
        self.meter.advance(job, record.done * share, before=record.before * share)
        self._note_progress(job, f"{record.done:,} of {record.total:,} examples")

    def succeed(self, job: Job) -> None:
        """Record a job that a worker reports as done; without a readable result it has failed."""
        try:
            result = self.recorder.finished(job)
        except ArtifactError as error:
            self.fail(job, error=describe(error), traceback="")
        else:
            self._finish(job, result)

    def fail(self, job: Job, *, error: str, traceback: str, counted: bool = True, damaged: str | None = None) -> None:
        """Record a failed attempt; the queue decides whether the job is retried. If the cause is damaged files of the job with the key
        `damaged`, the failed job waits until they are computed again."""
        self.meter.abandon(job)
        parent = self.supply.find(damaged) if damaged is not None and damaged in job.parents.values() else None
        if parent is not None and recreate_parent(parent, child=job, queue=self.queue, recorder=self.recorder, meter=self.meter):
            self.recorder.failed(job, error=error, traceback=traceback, final=False)
            self._note(f"{self.supply.names(job)}: waits until that is computed again: {error}")
            return
        final = self.queue.fail(job.key, counted=counted)
        self.recorder.failed(job, error=error, traceback=traceback, final=final)
        if final and self.source is not None:
            self.source.failed(job)
        self._note(f"{self.supply.names(job)}: {'failed' if final else 'failed, will be tried again'}: {error}")

    def superseded(self, job: Job, *, error: str) -> None:
        """Record an attempt that was superseded by another one: the job is done if its result exists, else it is handed out again."""
        if self._take_over_result(job):
            return
        self._superseded[job.key] += 1
        if self._superseded[job.key] > _MOST_SUPERSEDED:
            self.fail(job, error=error, traceback="")
            return
        self.meter.abandon(job)
        self.recorder.failed(job, error=error, traceback="", final=False, interrupted=True)
        self.queue.postpone(job.key)

    def lost(self, job: Job, *, error: str, traceback: str) -> None:
        """Record that the worker ended without a report: the job is done if its result exists, else the attempt failed.

        The failure is not counted if the job got further than ever before: a long job may lose any number of preempted machines.
        """
        if self._take_over_result(job):
            self.recorder.tidy(job)
        else:
            self.fail(job, error=error, traceback=traceback, counted=not self.meter.got_further(job))

    def give_back(self, job: Job) -> None:
        """Record that a job which was handed out has not been begun: it is handed out again, if its result does not exist after all."""
        if not self._take_over_result(job):
            self.queue.postpone(job.key)

    def lose_all(self, *, error: str) -> None:
        """Record that all workers ended without a report; a job that none had begun is handed out again."""
        for job, begun in self.queue.under_way():
            if begun:
                self.lost(job, error=error, traceback="")
            elif not self.supply.is_parked(job):
                self.queue.postpone(job.key)

    def harvest(self) -> None:
        """Record the results of jobs that finished while the run was being stopped."""
        for job in self.meter.running:
            self._take_over_result(job)

    def _take_over_result(self, job: Job) -> bool:
        """Record the job's result if its artifact exists; return whether it does."""
        try:
            result = self.recorder.finished(job)
        except ArtifactError:
            return False
        self._finish(job, result)
        return True

    def _finish(self, job: Job, result: Result) -> None:
        """Mark the job as done once its result is recorded."""
        self.meter.finish(job, seconds=result.seconds)
        self._progress.pop(job.key, None)
        self.queue.succeed(job.key)
        if self.source is not None:
            self.source.succeeded(job)
        if self._observer is not None:
            self._observer.finished(job, result, self.supply.names)
        self._note(f"{self.supply.names(job)}: {result_in_words(result, stage=job.stage)}")

    def _note_progress(self, job: Job, progress: str) -> None:
        self._progress[job.key] = progress
        self._note(f"{self.supply.names(job)}: {progress}")

    def _note(self, event: str) -> None:
        self.last_event = event
