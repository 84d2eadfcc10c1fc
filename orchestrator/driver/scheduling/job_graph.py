"""Jobs of a running plan, each with its state, and which of them wait for which. Independent of Ray and SQL."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Literal

from orchestrator.planning.plan import STAGES
from workers.spec.fields import Stage
from workers.spec.job import Job

State = Literal["done", "running", "queued", "waiting", "failed", "blocked"]


class JobGraph:
    """Jobs by key, with their states and the parents that they wait for; a job that is not among them is done.

    `effort_left` is the sum of the `efforts` of the jobs that wait.
    """

    def __init__(self, efforts: Mapping[str, float]) -> None:
        self.jobs: dict[str, Job] = {}
        self.states: dict[str, State] = {}
        self.effort_left = 0.0
        self._efforts = efforts
        self._counts: dict[Stage, Counter[State]] = {stage: Counter() for stage in STAGES}
        self._missing: dict[str, set[str]] = {}
        self._children: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, job: Job) -> bool:
        """Let a job, which may be done, wait for its parents, which are there before it; return whether it has to."""
        self.jobs[job.key] = job
        self.move(job.key, "waiting")
        self._missing[job.key] = set()
        for parent in job.parents.values():
            if not self.is_done(parent):
                self.wait_for(job.key, parent)
        return bool(self._missing[job.key])

    def wait_for(self, child: str, parent: str) -> None:
        self._missing[child].add(parent)
        if child not in self._children[parent]:
            self._children[parent].append(child)

    def released(self, parent: str) -> list[str]:
        """Return the jobs that waited for this one, which is done, and for no other any more."""
        waited = [child for child in self._children[parent] if parent in self._missing[child]]
        for child in waited:
            self._missing[child].discard(parent)
        return [child for child in waited if not self._missing[child]]

    def block_children(self, key: str) -> None:
        for child in self._children[key]:
            if self.states[child] != "blocked" and key in self._missing[child]:
                self.move(child, "blocked")
                self.block_children(child)

    def move(self, key: str, state: State) -> None:
        for one, number in ((self.states.get(key), -1), (state, 1)):
            if one is not None:
                self._counts[self.jobs[key].stage][one] += number
                self.effort_left += number * self._efforts.get(key, 0.0) * (one == "waiting")
        self.states[key] = state

    def is_done(self, key: str) -> bool:
        """Return whether the job is done, before this run or in it."""
        return self.states.get(key, "done") == "done"

    def has_failed(self, key: str) -> bool:
        return self.states.get(key) in ("failed", "blocked")

    def is_ready(self, key: str) -> bool:
        return self.states[key] == "waiting" and not self._missing[key]

    def counts(self) -> dict[Stage, Counter[State]]:
        """Return the number of jobs of each stage in each state."""
        return {stage: Counter(counts) for stage, counts in self._counts.items()}

    def under_way(self) -> list[tuple[Job, bool]]:
        """Return the jobs that were handed out and have not ended, and whether a worker has started them."""
        return [(self.jobs[key], state == "running") for key, state in self.states.items() if state in ("queued", "running")]

    def number_under_way(self, stage: Stage) -> int:
        return self._counts[stage]["queued"] + self._counts[stage]["running"]

    def total(self, state: State) -> int:
        return sum(counts[state] for counts in self._counts.values())
