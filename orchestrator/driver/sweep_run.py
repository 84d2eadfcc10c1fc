"""State of a running sweep: executors report to it, and the progress display reads it."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NoReturn

from orchestrator.driver.concurrent_sweeps import no_other_sweeps
from orchestrator.driver.recorder import Recorder
from orchestrator.names import job_name, result_in_words
from orchestrator.planning.job_cost import cost
from orchestrator.planning.plan import STAGES
from orchestrator.scheduling.job_queue import JobQueue
from orchestrator.scheduling.job_source import JobSource
from orchestrator.scheduling.time_left import StageRates, StageWork, time_to_end
from workers.artifacts.results import BatchRecord, Result
from workers.errors import ArtifactError, describe
from workers.spec.fields import Stage
from workers.spec.job import Job, TrainSpec

_MOST_SUPERSEDED = 10  # alternating with the attempts of a second driver: this must end


class SweepRun:
    """Running sweep: takes jobs from the queue, notifies the recorder, and keeps the figures of the progress display."""

    def __init__(
        self,
        queue: JobQueue,
        recorder: Recorder,
        jobs: tuple[Job, ...],
        *,
        source: JobSource | None = None,
        known: Iterable[Job] = (),
        elsewhere: Callable[[], frozenset[str]] = no_other_sweeps,
    ) -> None:
        """Run the `jobs` in the queue `queue`, and those that the `source` adds. Of all `known` jobs, those whose files prove to be damaged
        are computed again. Jobs that other sweeps are computing (`elsewhere`) wait for the outcome."""
        self.queue = queue
        self.source = source
        self._known = {job.key: job for job in (*known, *jobs)}
        self._superseded: Counter[str] = Counter()
        self._recorder = recorder
        self.started_at = time.monotonic()
        self.last = "starting"
        self.slots = 1
        self._left: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        for job in jobs:
            self._left[job.stage] += cost(job)
        self._rates = StageRates()
        self._counted: dict[str, float] = {}
        self._reached: dict[str, tuple[float, float]] = {}
        self._furthest: dict[str, float] = {}
        self._running: dict[str, Job] = {}
        self._elsewhere = elsewhere
        self._parked: dict[str, Job] = {}
        self.interrupted = False

    def interrupt(self) -> NoReturn:
        """Stop: raise KeyboardInterrupt, here and, where a library has swallowed it, again at the next `take`."""
        self.interrupted = True
        raise KeyboardInterrupt

    def take(self) -> Job | None:
        """Return the next job for a worker; None while none is ready.

        Raises:
            KeyboardInterrupt: the sweep was interrupted.
        """
        if self.interrupted:
            self.interrupt()
        self._unpark()
        self._fetch(idle=False)
        job = self._next()
        if job is None and self._fetch(idle=True):
            job = self._next()
        return job

    def _next(self) -> Job | None:
        """Return the next job in the queue that no other sweep is computing."""
        while (job := self.queue.take(slots=self.slots)) is not None and job.key in self._elsewhere():
            self._parked[job.key] = job
            self.last = f"{job_name(job)}: another sweep is computing it"
        return job

    def _unpark(self) -> None:
        """Record or hand out again the jobs that other sweeps no longer compute."""
        for key in [key for key in self._parked if key not in self._elsewhere()]:
            if not self._found_done(self._parked.pop(key)):
                self.queue.postpone(key)

    def _found_done(self, job: Job) -> bool:
        """Record the job's result if its artifact exists; return whether it does."""
        try:
            result = self._recorder.finished(job)
        except ArtifactError:
            return False
        self._note(job, result)
        return True

    def _fetch(self, *, idle: bool) -> bool:
        """Add the source's new jobs to the queue; return whether there were any."""
        new = self.queue.add(self.source.more(idle=idle)) if self.source is not None else []
        self._known.update((job.key, job) for job in new)
        for job in new:
            self._left[job.stage] += cost(job)
        return bool(new)

    def model_of(self, job: Job) -> TrainSpec | None:
        """Return the training of the model that the job measures or trains; None where the sweep does not have it."""
        model = self._known.get(job.parents.get("model", job.key))
        return model.spec if model is not None and isinstance(model.spec, TrainSpec) else None

    @property
    def drained(self) -> bool:
        """True where no job will ever be handed out again."""
        return self.queue.drained and (self.source is None or self.source.drained)

    def begin(self, job: Job) -> None:
        """Record a new attempt: a worker has started the job."""
        self.queue.begin(job.key)
        self._recorder.started(job)
        self._reached[job.key] = (0.0, time.monotonic())
        self._running[job.key] = job

    def epoch(self, job: Job, *, epoch: int, loss: float, accuracy: float) -> None:
        """Record that a training job has finished an epoch."""
        taken_up = 0 if job.resumes is None else job.resumes.epochs
        self._advance(job, max(0, epoch - taken_up), before=max(0, epoch - taken_up - 1))
        self.last = f"{job_name(job)}: epoch {epoch}, loss {loss:.3f}, training accuracy {accuracy:.1%}"

    def batch(self, job: Job, record: BatchRecord) -> None:
        """Record that a job has processed more of its examples."""
        share = cost(job) / record.total
        self._advance(job, record.done * share, before=record.before * share)
        self.last = f"{job_name(job)}: {record.done:,} of {record.total:,} examples"

    def succeed(self, job: Job) -> None:
        """Record a job that a worker reports as done; without a readable result it has failed."""
        try:
            result = self._recorder.finished(job)
        except ArtifactError as error:
            self.fail(job, error=describe(error), traceback="")
        else:
            self._note(job, result)

    def _note(self, job: Job, result: Result) -> None:
        """Mark the job as done once its result is recorded."""
        self._running.pop(job.key, None)
        whole, (reached, since) = cost(job), self._reached.pop(job.key, (0.0, 0.0))
        self._count(job, whole)
        if reached < whole:
            self._rates.add(job.stage, units=whole - reached, seconds=time.monotonic() - since if reached else result.seconds)
        self.queue.succeed(job.key)
        if self.source is not None:
            self.source.succeeded(job)
        self.last = f"{job_name(job)}: {result_in_words(result)}"

    def fail(self, job: Job, *, error: str, traceback: str, counted: bool = True, damaged: str | None = None) -> None:
        """Record a failed attempt; the queue decides whether the job is retried. If the cause is damaged files of the job with the key
        `damaged`, the failed job waits until they are computed again."""
        self._reached.pop(job.key, None)
        self._running.pop(job.key, None)
        if damaged is not None and damaged in job.parents.values() and self._is_recreated(self._known.get(damaged), child=job):
            self._recorder.failed(job, error=error, traceback=traceback, final=False)
            self.last = f"{job_name(job)}: waits until that is computed again: {error}"
            return
        final = self.queue.fail(job.key, counted=counted)
        self._recorder.failed(job, error=error, traceback=traceback, final=final)
        if final and self.source is not None:
            self.source.failed(job)
        self.last = f"{job_name(job)}: {'failed' if final else 'failed, will be tried again'}: {error}"

    def short_of_memory(self, job: Job, *, error: str, traceback: str, next_limits: str | None) -> None:
        """Record an attempt that ran out of memory. It counts as a failure only if the next one gets no `next_limits`."""
        self.fail(job, error=error if next_limits is None else f"{error}; {next_limits}", traceback=traceback, counted=next_limits is None)

    def _is_recreated(self, parent: Job | None, *, child: Job) -> bool:
        """Have a parent computed again, if its files are really damaged; return whether it is, or is already being computed."""
        if parent is None:
            return False
        done = self.queue.is_done(parent.key)
        if done and not self._recorder.discarded_damage(parent):
            return False
        if not self.queue.recreate(parent, child=child.key):
            return False
        if done:
            self._left[parent.stage] += cost(parent)
            self._counted.pop(parent.key, None)
        return True

    def superseded(self, job: Job, *, error: str) -> None:
        """Record an attempt that was superseded by another one: the job is done if its result exists, else it is handed out again."""
        if self._found_done(job):
            return
        self._superseded[job.key] += 1
        if self._superseded[job.key] > _MOST_SUPERSEDED:
            self.fail(job, error=error, traceback="")
            return
        self._reached.pop(job.key, None)
        self._running.pop(job.key, None)
        self._recorder.failed(job, error=error, traceback="", final=False, interrupted=True)
        self.queue.postpone(job.key)

    def lost(self, job: Job, *, error: str, traceback: str) -> None:
        """Record that the worker ended without a report: the job is done if its result exists, else the attempt failed.

        The failure is not counted if the job got further than ever before: a long job may lose any number of preempted machines.
        """
        if self._found_done(job):
            self._recorder.tidy(job)
        else:
            self.fail(job, error=error, traceback=traceback, counted=not self._got_on(job))

    def _got_on(self, job: Job) -> bool:
        reached, _ = self._reached.get(job.key, (0.0, 0.0))
        got_on = reached > self._furthest.get(job.key, 0.0)
        self._furthest[job.key] = max(reached, self._furthest.get(job.key, 0.0))
        return got_on

    def harvest(self) -> None:
        """Record the results of jobs that finished while the run was being stopped."""
        for job in list(self._running.values()):
            self._found_done(job)

    def _advance(self, job: Job, done: float, *, before: float) -> None:
        """Record that the job has done `done` of its cost. The part `before`, done by an earlier attempt, is left out of the rate."""
        reached, since = self._reached[job.key]
        now = time.monotonic()
        self._count(job, done)
        self._rates.add(job.stage, units=done - max(reached, before), seconds=now - since)
        self._reached[job.key] = (done, now)

    def _count(self, job: Job, done: float) -> None:
        """Subtract the part of the job's cost that is done from the rest; after a failed attempt it may be less than before."""
        self._left[job.stage] -= done - self._counted.get(job.key, 0.0)
        self._counted[job.key] = done

    @property
    def database(self) -> str | None:
        """Database error that keeps results waiting; None while none wait."""
        waiting = self._recorder.unrecorded
        return f"{waiting} results wait for the database: {self._recorder.last_error}" if waiting and self._recorder.failing else None

    @property
    def elapsed(self) -> float:
        """Seconds since the launch."""
        return time.monotonic() - self.started_at

    def estimate(self) -> float | None:
        """Return the seconds to the end, from this run's own rates; None while there is no rate for a remaining stage."""
        if self.source is not None:
            return self.source.seconds_left(self.elapsed)
        states = self.queue.counts()
        jobs = {stage: sum(states[stage][state] for state in ("waiting", "queued", "running")) for stage in STAGES}
        work = {stage: StageWork(units=self._left[stage], jobs=jobs[stage]) for stage in STAGES}
        return time_to_end(work, self._rates, workers=self.slots).seconds
