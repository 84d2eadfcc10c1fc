"""Retries of a job that ran out of memory: on a whole GPU, then with fewer examples in each pass through its net."""

from collections import Counter
from dataclasses import dataclass

from orchestrator.driver.sweep_run import SweepRun
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec, batch_size

_DIVIDED_BY = (4, 16, 64)


@dataclass(frozen=True)
class RetryLimits:
    """Limits under which an attempt at a job runs; nothing here changes its result. `whole` is a GPU that it shares with no other job."""

    whole: bool = False
    examples_per_pass: int | None = None


class OutOfMemoryRetry:
    """Limits of each job's next attempt.

    The first shortage may be caused by another job on the GPU, so the next attempt is alone on a GPU, in a process of its own, and
    otherwise unchanged. Only measurements are divided: a training's result depends on whole batches.
    """

    def __init__(self) -> None:
        self._steps_taken: Counter[str] = Counter()

    def limits(self, job: Job) -> RetryLimits:
        return _retry_steps(job)[self._steps_taken[job.key]]

    def next_limits(self, job: Job) -> str | None:
        """Move on to the limits of the next attempt; return them in words, or None if there is no further step."""
        if self._steps_taken[job.key] + 1 == len(_retry_steps(job)):
            return None
        self._steps_taken[job.key] += 1
        most = self.limits(job).examples_per_pass
        return "next by itself" if most is None else f"next in passes of {most} examples"

    def fail(self, sweep: SweepRun, job: Job, *, error: str, traceback: str) -> None:
        """Report an attempt that ran out of memory. It counts as a failure only if the next one has the same limits."""
        words = self.next_limits(job)
        sweep.fail(job, error=error if words is None else f"{error}; {words}", traceback=traceback, counted=words is None)


def _retry_steps(job: Job) -> list[RetryLimits]:
    sizes = () if isinstance(job.spec, TrainSpec) else dict.fromkeys(max(1, batch_size(job.spec) // parts) for parts in _DIVIDED_BY)
    return [RetryLimits(), RetryLimits(whole=True), *(RetryLimits(whole=True, examples_per_pass=size) for size in sizes)]
