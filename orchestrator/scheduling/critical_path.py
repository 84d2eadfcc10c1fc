"""A board that sees the end coming: what takes longest is not left for last."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.scheduling.job_queue import Board, State
from workers.spec.job import Job

_ALLOWANCE = 2


class CriticalPathBoard(Board):
    """A board that hands out the job with the longest chain of work behind it once that chain might outlast everything else.

    Results should appear early, so the order is a board's, as long as there is plenty to do. Near the end, or with many slots for few
    models, the longest chain (a job and the longest way through its descendants) settles when the sweep is over; while it is at least
    half as long as an even share of all work that is left, the longest one goes first.

    Measured in virtual time (`tests/simulation.py`) over the paper's grids on 2 to 256 slots: a plain board takes up to a third longer
    (table 2 on 4 slots), mostly 1 to 5 %; longest chain first from the beginning is as fast, but brings the mean result of table 1
    after 0.76 of the sweep instead of 0.57. With efforts of the trainings four times too large or too small it stays so.
    """

    def __init__(self, jobs: Sequence[Job], *, max_failures: int, effort: Callable[[Job], float]) -> None:
        """As a board's; `effort` is how long a job takes, in any unit. Jobs that the board is given later have no chain."""
        self._efforts = {job.key: effort(job) for job in jobs}
        self._lengths = _chain_lengths(jobs, self._efforts)
        self._left = sum(self._efforts.values())
        self._longest: list[tuple[float, int, str]] = []
        super().__init__(jobs, max_failures=max_failures)

    def _push(self, key: str) -> None:
        super()._push(key)
        heapq.heappush(self._longest, (-self._lengths.get(key, 0.0), self._order[key], key))

    def take(self, *, slots: int = 1) -> Job | None:
        """The next ready job, now queued for a worker; None while there is none. `slots` is how many jobs run at once."""
        self._forget_unready()
        if self._stopped or not self._longest or not self._presses(slots):
            job = super().take(slots=slots)
        else:
            key = heapq.heappop(self._longest)[-1]
            self._move(key, "queued")
            job = self._jobs[key]
        self._forget_unready()
        return job

    def _presses(self, slots: int) -> bool:
        """Whether the longest chain might be what the end of the sweep waits for; a single slot takes as long in any order."""
        return slots > 1 and _ALLOWANCE * slots * -self._longest[0][0] >= self._left

    def _forget_unready(self) -> None:
        """A ready job is on two heaps and was taken from one of them: what is on top of each must be ready."""
        heaps: tuple[list[Any], ...] = self._measuring, self._training, self._longest
        for heap in heaps:
            while heap and not self._is_ready(heap[0][-1]):
                heapq.heappop(heap)

    def _is_ready(self, key: str) -> bool:
        """A job that waits is not ready if it was under way and found a parent's files damaged."""
        return self._states[key] == "waiting" and not self._missing[key]

    def _move(self, key: str, state: State) -> None:
        waited = self._states[key] == "waiting"
        super()._move(key, state)
        self._left += self._efforts.get(key, 0.0) * ((state == "waiting") - waited)


def _chain_lengths(jobs: Sequence[Job], efforts: dict[str, float]) -> dict[str, float]:
    """How much work is on the longest way from each job, itself included, through its descendants; parents come first in `jobs`."""
    behind: defaultdict[str, float] = defaultdict(float)
    lengths: dict[str, float] = {}
    for job in reversed(jobs):
        length = lengths[job.key] = efforts[job.key] + behind[job.key]
        for parent in job.parents.values():
            behind[parent] = max(behind[parent], length)
    return lengths
