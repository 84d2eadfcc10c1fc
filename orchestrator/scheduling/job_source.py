"""Interface to sources of jobs that are not known when a sweep starts."""

from collections.abc import Sequence
from typing import Protocol

from workers.spec.job import Job


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
