"""A sweep on any number of GPUs in virtual time: the real job queue hands out the jobs, nothing is computed."""

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.planning.job_cost import effort
from workers.spec.job import Job

_PASSES_PER_SECOND = 10_000.0  # of a ResNet-18 on CIFAR-10, on a GPU of today
Seconds = Callable[[Job], float]


@dataclass
class Ran:
    """How a simulated sweep went: `makespan` and the moments at which attacks were done in seconds, `busy` in GPU-seconds."""

    slots: int
    makespan: float = 0.0
    busy: float = 0.0
    attacked: list[float] = field(default_factory=list)

    @property
    def utilisation(self) -> float:
        """The share of all slots' time that went into jobs."""
        return self.busy / (self.slots * self.makespan)

    @property
    def mean_result(self) -> float:
        """At what share of the sweep the mean attack was done."""
        return float(np.mean(self.attacked)) / self.makespan


def foreseen_seconds(job: Job) -> float:
    """Duration of a job that takes what its effort says."""
    return effort(job) / _PASSES_PER_SECOND


def gpu_seconds(jobs: Sequence[Job], *, seed: int = 0) -> Seconds:
    """Durations of the jobs: what their effort says, times what cannot be foreseen, a factor from 0.6 to 1.7 by the job's place."""
    luck = np.random.default_rng(seed).random(len(jobs))
    factors = dict(zip((job.key for job in jobs), 0.6 * (1.7 / 0.6) ** luck, strict=True))
    return lambda job: foreseen_seconds(job) * float(factors[job.key])


def simulate(queue: JobQueue, *, slots: int, seconds: Seconds, driver_seconds: float = 0.0) -> Ran:
    """Run the jobs of the queue on as many slots; for each job the driver, one thread, is busy for `driver_seconds` before it begins."""
    ran, running, driver_free, numbers = Ran(slots), [], 0.0, itertools.count()
    while not queue.drained:
        while len(running) < slots and (job := queue.take(slots=slots)) is not None:
            queue.begin(job.key)
            driver_free = max(driver_free, ran.makespan) + driver_seconds
            heapq.heappush(running, (driver_free + seconds(job), next(numbers), job))
            ran.busy += seconds(job)
        ran.makespan, _, job = heapq.heappop(running)
        queue.succeed(job.key)
        if job.stage == "attack":
            ran.attacked.append(ran.makespan)
    return ran


def shortest(jobs: list[Job], *, slots: int, seconds: Seconds) -> float:
    """Seconds below which no order can end: an even share of all work, or the longest chain of jobs that wait for each other."""
    ends: dict[str, float] = {}
    for job in jobs:
        ends[job.key] = seconds(job) + max((ends.get(parent, 0.0) for parent in job.parents.values()), default=0.0)
    return max(sum(map(seconds, jobs)) / slots, *ends.values())
