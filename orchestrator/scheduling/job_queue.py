"""The state of a running plan: which job is ready, running, done, failed or blocked. Knows neither Ray nor SQL."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

from orchestrator.planning.plan import STAGES
from workers.spec.fields import Stage
from workers.spec.job import Job

State = Literal["done", "running", "queued", "waiting", "failed", "blocked"]
# A defence is put around a model in no time, and its measurements wait for it. A diagnosis judges figures that are there.
_MEASURING: dict[Stage, int] = {"defend": 0, "evaluate": 1, "attack": 2, "craft": 3, "diagnose": 4, "surface": 5}
_TRAINING: dict[Stage, int] = {"fine_tune": 0, "pretrain": 1}


class Board:
    """Hands out jobs whose parents are done, counts attempts, blocks the descendants of a failed job.

    Measuring comes before more training, so that results appear early; but as long as both can be done, half of the slots train:
    otherwise the last models are trained at the end, while the other workers have nothing left to do.
    """

    def __init__(self, jobs: Sequence[Job], *, max_failures: int) -> None:
        """Take the jobs to run, parents first; a parent that is not among them is done already. A job may fail `max_failures` times and
        be tried again; the next failure is final."""
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
        """Take more jobs, as the constructor does; returns the new ones. A job that is here already stays as it is, and one whose parent
        has failed is blocked."""
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
        """Hand the job out at once, or when the last of its parents is done, or never."""
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
        """The next ready job, now queued for a worker; None while there is none. `slots` is how many jobs run at once."""
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
        """A worker has started on the job."""
        self._move(key, "running")

    @property
    def drained(self) -> bool:
        """Whether no job will ever be handed out again: nothing is ready, and nothing is under way that could make a job ready."""
        return self._stopped or not (self._measuring or self._training or self.total("running") or self.total("queued"))

    def stop(self) -> None:
        """Hand out nothing more."""
        self._stopped = True

    def succeed(self, key: str) -> None:
        self._move(key, "done")
        for child in self._children[key]:
            if key not in self._missing[child]:  # it did not wait: the job was done before, and was computed again
                continue
            self._missing[child].discard(key)
            if not self._missing[child]:
                self._push(child)

    def fail(self, key: str, *, counted: bool = True) -> bool:
        """Take back a failed attempt, `counted` if it is the job's fault; returns whether it was the last: the job is then failed and its
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
        """The job is to be handed out again, through no fault of its own: that counts as no failure."""
        self._move(key, "waiting")
        self._push(key)

    def is_done(self, key: str) -> bool:
        """Whether the job is done, before this run or in it."""
        return self._states.get(key, "done") == "done"

    def recreate(self, parent: Job, *, child: str) -> bool:
        """A done parent's files are lost: compute it again, and let its child, which was under way, wait for that.

        Returns whether that is to be done; not if the parent was lost as often as a job may be tried, or cannot be computed.
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
        """Take up a done job, in the place of the one that needs it."""
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
        """How many jobs of each stage are in each state."""
        return {stage: Counter(counts) for stage, counts in self._counts.items()}

    def total(self, state: State) -> int:
        return sum(counts[state] for counts in self._counts.values())
