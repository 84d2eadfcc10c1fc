"""Jobs that workers have been given, short ones in batches, and what comes of each: the driver's side of every executor with workers."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import Folders, Resources
from orchestrator.executors.memory_retry import OutOfMemoryRetry, RetryLimits
from orchestrator.planning.job_cost import effort
from workers.artifacts.outcomes import BatchRecord, EpochRecord
from workers.code import code_here
from workers.spec.fields import Stage
from workers.spec.job import JOB, Job

_OVERHEADS_PER_BATCH = 5
_KEPT = 0.8  # of what earlier jobs said, after each job


class JobSeconds:
    """Seconds that jobs take, from those of earlier jobs of their stage and their relative effort."""

    def __init__(self) -> None:
        self._seconds: defaultdict[Stage, float] = defaultdict(float)
        self._efforts: defaultdict[Stage, float] = defaultdict(float)

    def learn(self, job: Job, seconds: float) -> None:
        self._seconds[job.stage] = _KEPT * self._seconds[job.stage] + seconds
        self._efforts[job.stage] = _KEPT * self._efforts[job.stage] + effort(job)

    def expect(self, job: Job) -> float:
        """Return the seconds that a job will take; infinity where no job of its stage is done."""
        known = self._efforts.get(job.stage)
        return effort(job) * self._seconds[job.stage] / known if known else float("inf")


Learn = Callable[[Job, int | None], None]
"""Function that is called with each job that is done, and its peak memory."""


def learn_nothing(job: Job, peak_memory: int | None) -> None:
    """Forget how much memory a job took."""


@dataclass
class _Batch:
    """Jobs that a worker runs one after the other: the first one is under way."""

    jobs: deque[Job]
    learn: Learn
    error: dict[str, Any] | None = None


class HandOut:
    """Batches under way, each under a name that the executor chooses.

    A job that takes less than handing it out is handed out together with others like it, `_OVERHEADS_PER_BATCH` times the overhead at
    most: keys, rows and attempts are those of single jobs, and of a batch that is cut short only unfinished jobs are handed out again.
    """

    def __init__(self, sweep: SweepRun, folders: Folders, resources: Resources, *, overhead: float) -> None:
        """Hand out the jobs of the `sweep`; handing out takes `overhead` seconds."""
        self._sweep, self._folders, self._resources, self._overhead = sweep, folders, resources, overhead
        self._memory_retry = OutOfMemoryRetry()
        self._seconds = JobSeconds()
        self._batches: dict[str, _Batch] = {}

    def __len__(self) -> int:
        """Return the number of batches under way."""
        return len(self._batches)

    def limits(self, job: Job) -> RetryLimits:
        return self._memory_retry.limits(job)

    def take(self, name: str, *, share: Callable[[Job], float], learn: Learn = learn_nothing) -> Any:
        """Return the configuration of the next batch, from now on under way as `name`; None where no job is ready.

        Args:
            name: of the batch.
            share: a job's share of a GPU; jobs of one batch have the same.
            learn: called with each job that is done, and its peak memory.
        """
        if (first := self._sweep.take()) is None:
            return None
        gpus, jobs = share(first), deque([first])
        if self._is_short(first):
            self._fill(jobs, lambda job: self._is_short(job) and share(job) == gpus)
        self._batches[name] = _Batch(jobs, learn)
        return {
            "jobs": tuple(JOB.dump_json(job).decode() for job in jobs),
            "code": tuple(code_here()),
            "artifacts": self._folders.artifacts,
            "data_root": str(self._folders.data_root) if self._folders.data_root else None,
            "device": "cuda" if gpus > 0 else "cpu",
            "threads": self._resources.cpus_per_job,
            "gpus": gpus,
            "examples_per_pass": self.limits(first).examples_per_pass,
            "processes": self._resources.processes(first.stage),
            "memory": self._resources.memory_per_job,
        }

    def _is_short(self, job: Job) -> bool:
        return self.limits(job) == RetryLimits() and self._seconds.expect(job) < self._overhead

    def _fill(self, jobs: deque[Job], fits: Callable[[Job], bool]) -> None:
        """Add jobs that fit, up to the length of a batch."""
        seconds = self._seconds.expect(jobs[0])
        while seconds < _OVERHEADS_PER_BATCH * self._overhead and (job := self._sweep.take()) is not None:
            if not fits(job):
                self._sweep.give_back(job)
                return
            jobs.append(job)
            seconds += self._seconds.expect(job)

    def begin(self, name: str) -> None:
        """Record that a worker has begun the batch."""
        self._sweep.begin(self._batches[name].jobs[0])

    def report(self, name: str, message: dict[str, Any]) -> None:
        """Take a message of `attempt_jobs`."""
        batch = self._batches[name]
        match message:
            case {"error": _}:
                batch.error = message
            case {"superseded": reason}:
                self._sweep.superseded(self._advance(batch), error=reason)
                self._begin_next(batch)
            case {"epoch": record}:
                self._sweep.epoch(batch.jobs[0], EpochRecord.model_validate(record))
            case {"batch": record}:
                self._sweep.batch(batch.jobs[0], BatchRecord.model_validate(record))
            case {"done_jobs": ended}:
                for done in ended:
                    self._done(batch, done)

    def _done(self, batch: _Batch, done: dict[str, Any]) -> None:
        job = self._advance(batch)
        batch.learn(job, done["peak_memory"])
        self._seconds.learn(job, done["seconds"])
        self._sweep.succeed(job)
        self._begin_next(batch)

    @staticmethod
    def _advance(batch: _Batch) -> Job:
        return batch.jobs.popleft()

    def _begin_next(self, batch: _Batch) -> None:
        if batch.jobs:
            self._sweep.begin(batch.jobs[0])

    def end(self, name: str, *, died: bool) -> None:
        """Record the end of the batch; where its worker `died`, the job under way ends with it, and the others are handed out again."""
        batch = self._batches.pop(name)
        if died and batch.jobs:
            self._end_first(batch.jobs.popleft(), batch.error)
            for job in batch.jobs:
                self._sweep.give_back(job)
            return
        for job in batch.jobs:
            self._sweep.succeed(job)

    def _end_first(self, job: Job, said: dict[str, Any] | None) -> None:
        """Record the end of the attempt at a job: an error that it reported, or the death of its process."""
        if said is None:
            self._sweep.lost(job, error="the worker process died (killed, or out of memory)", traceback="")
        elif said["short_of_memory"]:
            self._memory_retry.fail(self._sweep, job, error=said["error"], traceback=said["traceback"])
        else:
            self._sweep.fail(job, error=said["error"], traceback=said["traceback"], damaged=said["damaged"])
