"""Where the jobs of a running sweep come from that are not known when it starts."""

from collections.abc import Sequence
from typing import Protocol

from workers.spec.job import Job


class JobSource(Protocol):
    """Brings jobs while a sweep runs, and hears what becomes of every job. Only the thread that runs the sweep calls it."""

    def more(self, *, idle: bool) -> Sequence[Job]:
        """Jobs to run now, parents first; those that have results already are not among them. `idle`: a worker is free, and no job that
        is known is ready for it."""

    def succeeded(self, job: Job) -> None:
        """The job is done and its result was given to the recorder."""

    def failed(self, job: Job) -> None:
        """The job was given up."""

    @property
    def drained(self) -> bool:
        """Whether it will never bring another job, whatever becomes of those that are under way."""

    def words(self) -> str:
        """How far it is, in one line."""

    def seconds_left(self, elapsed: float) -> float | None:
        """An estimate of the time to its end after so many seconds; None while there is nothing to go by."""
