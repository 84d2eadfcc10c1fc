"""Work done and work left in a running sweep, in the units of `cost`, and the seconds it took: the data of the estimate."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.driver.scheduling.job_graph import State
from orchestrator.driver.scheduling.time_left import StageRates, StageWork, time_to_end
from orchestrator.planning.job_cost import cost
from orchestrator.planning.plan import STAGES
from workers.spec.fields import Stage
from workers.spec.job import Job


@dataclass
class _Attempt:
    """Attempt under way: the work that it has reported, and the time of that report."""

    job: Job
    done: float
    since: float


class WorkMeter:
    """Measured work of a sweep by stage, since the meter was made."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        """Expect the work of these jobs."""
        self._started_at = time.monotonic()
        self._left: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        self._rates = StageRates()
        self._done: dict[str, float] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._furthest: dict[str, float] = {}
        self.expect(jobs)

    @property
    def elapsed(self) -> float:
        """Seconds since the launch."""
        return time.monotonic() - self._started_at

    @property
    def running(self) -> list[Job]:
        """The jobs with an attempt under way."""
        return [attempt.job for attempt in list(self._attempts.values())]  # the display reads them from its own thread

    def expect(self, jobs: Iterable[Job]) -> None:
        """Add the work of more jobs."""
        for job in jobs:
            self._left[job.stage] += cost(job)

    def expect_again(self, job: Job) -> None:
        """Add the work of a job that was done and is to be computed again."""
        self.expect([job])
        self._done.pop(job.key, None)

    def begin(self, job: Job) -> None:
        """Begin to measure an attempt."""
        self._attempts[job.key] = _Attempt(job, 0.0, time.monotonic())

    def advance(self, job: Job, done: float, *, before: float) -> None:
        """Record that the job has done `done` of its cost. The part `before`, done by an earlier attempt, is left out of the rate."""
        attempt, now = self._attempts[job.key], time.monotonic()
        self._count(job, done)
        self._rates.add(job.stage, units=done - max(attempt.done, before), seconds=now - attempt.since)
        attempt.done, attempt.since = done, now

    def finish(self, job: Job, *, seconds: float) -> None:
        """Record that the job is done; `seconds` is its own measurement, used if it has reported nothing before."""
        whole, attempt = cost(job), self._attempts.pop(job.key, None)
        self._count(job, whole)
        reported = 0.0 if attempt is None else attempt.done
        if attempt is not None and reported:
            seconds = time.monotonic() - attempt.since
        if reported < whole:
            self._rates.add(job.stage, units=whole - reported, seconds=seconds)

    def abandon(self, job: Job) -> None:
        """End an attempt that has no result."""
        self._attempts.pop(job.key, None)

    def got_further(self, job: Job) -> bool:
        """Return whether the attempt under way has got further than the earlier ones for which this was called."""
        reached = self._attempts[job.key].done if job.key in self._attempts else 0.0
        before = self._furthest.get(job.key, 0.0)
        self._furthest[job.key] = max(reached, before)
        return reached > before

    def seconds_left(self, counts: Mapping[Stage, Counter[State]], *, slots: int) -> float | None:
        """Return the seconds to the end on `slots` workers; None while there is no rate for a remaining stage."""
        jobs = {stage: sum(counts[stage][state] for state in ("waiting", "queued", "running")) for stage in STAGES}
        work = {stage: StageWork(units=self._left[stage], jobs=jobs[stage]) for stage in STAGES}
        return time_to_end(work, self._rates, workers=slots).seconds

    def _count(self, job: Job, done: float) -> None:
        """Subtract the part of the job's cost that is done from the rest; after a failed attempt it may be less than before."""
        self._left[job.stage] -= done - self._done.get(job.key, 0.0)
        self._done[job.key] = done
