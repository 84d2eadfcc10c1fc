"""Job queue of a running plan: each job is ready, running, done, failed or blocked. Independent of Ray and SQL."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal, Protocol

from orchestrator.planning.plan import STAGES
from workers.spec.fields import Stage
from workers.spec.job import Job

State = Literal["done", "running", "queued", "waiting", "failed", "blocked"]
# A defence takes almost no time, and the measurements of the defended model wait for it. A diagnosis checks figures that exist already.
_MEASURING: dict[Stage, int] = {"defend": 0, "evaluate": 1, "attack": 2, "craft": 3, "diagnose": 4, "surface": 5}
_TRAINING: dict[Stage, int] = {"fine_tune": 0, "pretrain": 1}


class JobQueue:
    """Queue that hands out jobs whose parents are done, counts attempts and blocks the descendants of a failed job.

    Measuring comes before more training, so that results appear early; but as long as both can be done, half of the slots train:
    otherwise the last models are trained at the end, while the other workers have nothing left to do.
    """

    def __init__(self, jobs: Sequence[Job], *, max_failures: int) -> None:
        """Add the jobs to run, parents first; a parent that is not among them is done already. A job is retried after each of its first
        `max_failures` failures; the next failure is final."""
        self._jobs: dict[str, Job] = {}
        self._order: dict[str, int] = {}
        self._max_failures = max_failures
        self._states: dict[str, State] = {}
        self._counts: dict[Stage, Counter[State]] = {stage: Counter() for stage in STAGES}
        self._failures: Counter[str] = Counter()
        self._missing: dict[str, set[str]] = {}
        self._children: defaultdict[str, list[str]] = defaultdict(list)
        self._measuring: list[tuple[int, int, str]] = []
        self._training: list[tuple[int, int, str]] = []
        self._stopped = False
        self._recreated: Counter[str] = Counter()
        self.add(jobs)

    def add(self, jobs: Sequence[Job]) -> list[Job]:
        """Add more jobs, as the constructor does, and return the new ones. A job that is in the queue already stays as it is, and one whose
        parent has failed is blocked."""
        new = list({job.key: job for job in jobs if job.key not in self._jobs}.values())
        for job in new:
            self._jobs[job.key] = job
            self._order[job.key] = len(self._order)
            self._states[job.key] = "waiting"
            self._counts[job.stage]["waiting"] += 1
        for job in new:
            self._place(job)
        return new

    def _place(self, job: Job) -> None:
        """Make the job ready if its parents are done, else let it wait for them, or block it if one has failed."""
        missing = {parent for parent in job.parents.values() if self._states.get(parent, "done") != "done"}
        self._missing[job.key] = missing
        for parent in missing:
            self._children[parent].append(job.key)
        if not missing:
            self._push(job.key)
        elif any(self._states[parent] in ("failed", "blocked") for parent in missing):
            self._move(job.key, "blocked")

    def _push(self, key: str) -> None:
        stage = self._jobs[key].stage
        heap, priority = (self._training, _TRAINING) if stage in _TRAINING else (self._measuring, _MEASURING)
        heapq.heappush(heap, (priority[stage], self._order[key], key))

    def take(self, *, slots: int = 1) -> Job | None:
        """Return the next ready job, now queued for a worker; None while there is none. `slots` is the number of jobs that run at once."""
        if self._stopped:
            return None
        train = self._training and (not self._measuring or self._trainings_under_way() < slots // 2)
        heap = self._training if train else self._measuring
        if not heap:
            return None
        key = heapq.heappop(heap)[-1]
        self._move(key, "queued")
        return self._jobs[key]

    def _trainings_under_way(self) -> int:
        return sum(self._counts[stage]["queued"] + self._counts[stage]["running"] for stage in _TRAINING)

    def begin(self, key: str) -> None:
        """Record that a worker has started the job."""
        self._move(key, "running")

    def under_way(self) -> list[tuple[Job, bool]]:
        """Return the jobs that were handed out and have not ended, and whether a worker has started them."""
        return [(self._jobs[key], state == "running") for key, state in self._states.items() if state in ("queued", "running")]

    @property
    def drained(self) -> bool:
        """True where no job will ever be handed out again: none is ready, and none is under way that could make another ready."""
        return self._stopped or not (self._measuring or self._training or self.total("running") or self.total("queued"))

    def stop(self) -> None:
        """Hand out no more jobs."""
        self._stopped = True

    def succeed(self, key: str) -> None:
        self._move(key, "done")
        for child in self._children[key]:
            if key not in self._missing[child]:  # the child did not wait: the job was done before, and was computed again
                continue
            self._missing[child].discard(key)
            if not self._missing[child]:
                self._push(child)

    def fail(self, key: str, *, counted: bool = True) -> bool:
        """Record a failed attempt, `counted` if the job caused it; return whether it was the last: the job has then failed and its
        descendants are blocked."""
        self._failures[key] += counted
        if self._failures[key] <= self._max_failures:
            self._move(key, "waiting")
            self._push(key)
            return False
        self._move(key, "failed")
        self._block(key)
        return True

    def postpone(self, key: str) -> None:
        """Hand the job out again later, without counting a failure."""
        self._move(key, "waiting")
        self._push(key)

    def is_done(self, key: str) -> bool:
        """Return whether the job is done, before this run or in it."""
        return self._states.get(key, "done") == "done"

    def recreate(self, parent: Job, *, child: str) -> bool:
        """Compute a done parent again whose files are lost, and let its child, which was under way, wait for that.

        Return whether that is done; not if the parent was lost as often as a job may be tried, or cannot be computed.
        """
        if self.is_done(parent.key):
            if self._recreated[parent.key] > self._max_failures:
                return False
            self._recreated[parent.key] += 1
            self._add_again(parent, before=child)
        if self._states[parent.key] in ("failed", "blocked"):
            return False
        self._missing[child].add(parent.key)
        if child not in self._children[parent.key]:
            self._children[parent.key].append(child)
        self._move(child, "waiting")
        return True

    def _add_again(self, job: Job, *, before: str) -> None:
        """Queue a done job again, at the position of the one that needs it."""
        if job.key not in self._states:
            self._states[job.key] = "done"
            self._counts[job.stage]["done"] += 1
        self._jobs[job.key] = job
        self._move(job.key, "waiting")
        self._order[job.key] = self._order[before]
        self._missing[job.key] = waited = {parent for parent in job.parents.values() if self._states.get(parent, "done") != "done"}
        for parent in waited:
            self._children[parent].append(job.key)
        if not waited:
            self._push(job.key)

    def _block(self, key: str) -> None:
        for child in self._children[key]:
            if self._states[child] != "blocked" and key in self._missing[child]:
                self._move(child, "blocked")
                self._block(child)

    def _move(self, key: str, state: State) -> None:
        counts = self._counts[self._jobs[key].stage]
        counts[self._states[key]] -= 1
        counts[state] += 1
        self._states[key] = state

    def counts(self) -> dict[Stage, Counter[State]]:
        """Return the number of jobs of each stage in each state."""
        return {stage: Counter(counts) for stage, counts in self._counts.items()}

    def total(self, state: State) -> int:
        return sum(counts[state] for counts in self._counts.values())


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
