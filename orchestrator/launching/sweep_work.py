"""Kinds of sweeps, grids and searches, as the launch uses them: the steps in which they differ."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from orchestrator.driver.recorder import Recorder
from orchestrator.scheduling.job_queue import JobQueue
from orchestrator.scheduling.job_source import JobSource
from orchestrator.store import Store
from orchestrator.store.leases.leases import Holder, Lease
from workers.spec.job import Job


def _no_conclusion() -> None:
    """Add nothing to the report on the jobs."""


@dataclass(frozen=True, kw_only=True)
class SweepWork:
    """Work of one launch.

    `needed` is False where there is none: then `nothing_to_do` is the line to print, else `summary` before the work and what
    `conclusion` returns after it. `queue` holds the `jobs` to run, `source` adds others meanwhile, and `known` are all jobs of the sweep.
    """

    needed: bool
    summary: str
    nothing_to_do: str
    queue: JobQueue
    jobs: tuple[Job, ...] = ()
    known: tuple[Job, ...] = ()
    source: JobSource | None = None
    conclusion: Callable[[], str | None] = _no_conclusion


class SweepKind(Protocol):
    """Sweep to launch. Methods are called in this order, the first two again if the lease was taken meanwhile."""

    def prepare(self, store: Store) -> Sequence[Job]:
        """Plan; return the jobs whose data must be in place before anything runs.

        Raises:
            UserError: the space asks for what cannot be.
        """

    def take_lease(self, store: Store, seen: Holder | None) -> Lease:
        """Take the sweep, if no other driver has taken it since `seen`.

        Raises:
            LeaseTaken: one has.
        """

    def open_work(self, store: Store, recorder: Recorder) -> AbstractContextManager[SweepWork]:
        """Enter the recorder, and yield the work inside it."""
