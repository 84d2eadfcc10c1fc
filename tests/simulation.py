"""A sweep on any number of GPUs in virtual time: the real board hands out the jobs, nothing is computed."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from orchestrator.planning.effort import effort
from orchestrator.scheduling.job_queue import Board
from workers.spec.job import Job

_PASSES_PER_SECOND = 10_000.0  # of a ResNet-18 on CIFAR-10, on a GPU of today


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


def gpu_seconds(job: Job) -> float:
    """How long a job takes: its effort, and what nobody can foresee, a factor from 0.6 to 1.7 that hangs on the job's key alone."""
    luck = int(job.key[:8], 16) / 0xFFFFFFFF
    return effort(job) / _PASSES_PER_SECOND * 0.6 * (1.7 / 0.6) ** luck


def simulate(board: Board, *, slots: int, seconds: Callable[[Job], float] = gpu_seconds, driver_seconds: float = 0.0) -> Ran:
    """Run the board's jobs on as many slots; for each job the driver, one thread, is busy for `driver_seconds` before it begins."""
    ran, running, driver_free = Ran(slots), [], 0.0
    while not board.drained:
        while len(running) < slots and (job := board.take(slots=slots)) is not None:
            board.begin(job.key)
            driver_free = max(driver_free, ran.makespan) + driver_seconds
            heapq.heappush(running, (driver_free + seconds(job), job.key, job))
            ran.busy += seconds(job)
        ran.makespan, _, job = heapq.heappop(running)
        board.succeed(job.key)
        if job.stage == "attack":
            ran.attacked.append(ran.makespan)
    return ran


def shortest(jobs: list[Job], *, slots: int, seconds: Callable[[Job], float] = gpu_seconds) -> float:
    """Seconds below which no order can end: an even share of all work, or the longest chain of jobs that wait for each other."""
    ends: dict[str, float] = {}
    for job in jobs:
        ends[job.key] = seconds(job) + max((ends.get(parent, 0.0) for parent in job.parents.values()), default=0.0)
    return max(sum(map(seconds, jobs)) / slots, *ends.values())
