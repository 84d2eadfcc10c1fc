"""Job queue of a running plan: each job is ready, running, done, failed or blocked. And the interface to sources of further jobs."""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.driver.scheduling.job_graph import JobGraph
from workers.spec.fields import Stage
from workers.spec.job import Job

# Selecting and defending take almost no time, and the measurements of the model wait for it. A diagnosis checks figures that exist already.
_MEASURING: dict[Stage, int] = {"select": 0, "defend": 0, "evaluate": 1, "attack": 2, "craft": 3, "diagnose": 4, "surface": 5, "corrupt": 6}
_TRAINING: dict[Stage, int] = {"fine_tune": 0, "adopt": 1, "pretrain": 1}


class JobQueue:
    """Queue that hands out jobs whose parents are done, counts attempts and blocks the descendants of a failed job.

    Measuring comes before more training, so that results appear early; but as long as both can be done, half of the slots train:
    otherwise the last models are trained at the end, while the other workers have nothing left to do.
    """

    def __init__(self, jobs: Sequence[Job], *, max_failures: int, efforts: Mapping[str, float] | None = None) -> None:
        """Add the jobs to run, parents first; a parent that is not among them is done already. A job is retried after each of its first
        `max_failures` failures; the next failure is final. `efforts` are how long jobs take, by key."""
        self._graph = JobGraph(efforts or {})
        self.is_done, self.under_way = self._graph.is_done, self._graph.under_way
        self.counts, self.total = self._graph.counts, self._graph.total
        self._order: dict[str, int] = {}
        self._max_failures = max_failures
        self._failures: Counter[str] = Counter()
        self._recreated: Counter[str] = Counter()
        self._measuring: list[tuple[int, int, str]] = []
        self._training: list[tuple[int, int, str]] = []
        self._stopped = False
        self.add(jobs)

    def add(self, jobs: Sequence[Job]) -> list[Job]:
        """Add more jobs, as the constructor does, and return the new ones. A job that is in the queue already stays as it is, and one whose
        parent has failed is blocked."""
        new = list({job.key: job for job in jobs if job.key not in self._graph.jobs}.values())
        for job in new:
            self._order[job.key] = len(self._order)
            if not self._graph.add(job):
                self._push(job.key)
            elif any(map(self._graph.has_failed, job.parents.values())):
                self._graph.move(job.key, "blocked")
        return new

    def _push(self, key: str) -> None:
        stage = self._graph.jobs[key].stage
        heap, priority = (self._training, _TRAINING) if stage in _TRAINING else (self._measuring, _MEASURING)
        heapq.heappush(heap, (priority[stage], self._order[key], key))

    def take(self, *, slots: int = 1) -> Job | None:
        """Return the next ready job, now queued for a worker; None while there is none. `slots` is the number of jobs that run at once."""
        train = self._training and (not self._measuring or sum(map(self._graph.number_under_way, _TRAINING)) < slots // 2)
        heap = self._training if train else self._measuring
        return self._hand_out(heapq.heappop(heap)[-1]) if heap and not self._stopped else None

    def _hand_out(self, key: str) -> Job:
        self._graph.move(key, "queued")
        return self._graph.jobs[key]

    def begin(self, key: str) -> None:
        """Record that a worker has started the job."""
        self._graph.move(key, "running")

    @property
    def drained(self) -> bool:
        """True where no job will ever be handed out again: none is ready, and none is under way that could make another ready."""
        return self._stopped or not (self._measuring or self._training or self.total("running") or self.total("queued"))

    def stop(self) -> None:
        """Hand out no more jobs."""
        self._stopped = True

    def succeed(self, key: str) -> None:
        self._graph.move(key, "done")
        for child in self._graph.released(key):
            self._push(child)

    def fail(self, key: str, *, counted: bool = True) -> bool:
        """Record a failed attempt, `counted` if the job caused it; return whether it was the last: the job has then failed and its
        descendants are blocked."""
        self._failures[key] += counted
        if self._failures[key] <= self._max_failures:
            self.postpone(key)
            return False
        self._graph.move(key, "failed")
        self._graph.block_children(key)
        return True

    def postpone(self, key: str) -> None:
        """Hand the job out again later, without counting a failure."""
        self._graph.move(key, "waiting")
        self._push(key)

    def recreate(self, parent: Job, *, child: str) -> bool:
        """Compute a done parent again whose files are lost, and let its child, which was under way, wait for that.

        Return whether that is done; not if the parent was lost as often as a job may be tried, or cannot be computed.
        """
        if self.is_done(parent.key):
            if self._recreated[parent.key] > self._max_failures:
                return False
            self._recreated[parent.key] += 1
            self._order[parent.key] = self._order[child]
            if not self._graph.add(parent):
                self._push(parent.key)
        if self._graph.has_failed(parent.key):
            return False
        self._graph.wait_for(child, parent.key)
        self._graph.move(child, "waiting")
        return True


class JobSource(Protocol):
    """Source of jobs while a sweep runs, notified of every job's outcome. Only the thread that runs the sweep calls it."""

    def more(self, *, idle: bool) -> Sequence[Job]:
        """Return jobs to run now, parents first; those that have results already are not among them. `idle`: a worker is free, and no
        known job is ready for it."""

    def succeeded(self, job: Job) -> None:
        """Record that the job is done and its result was passed to the recorder."""

    def failed(self, job: Job) -> None:
        """Record that the job has failed for good."""

    @property
    def drained(self) -> bool:
        """True where no more jobs will come, whatever the outcome of those that are under way."""

    def summary(self) -> str:
        """Return the progress, in one line."""

    def seconds_left(self, elapsed: float) -> float | None:
        """Return an estimate of the seconds to the end after `elapsed` seconds; None while there is no basis for one."""
