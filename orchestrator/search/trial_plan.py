"""The course of a trial: one stage of evidence after the other, until what it has come to can be told."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from optuna import Trial

from orchestrator.planning.expand import distinct, jobs_of
from orchestrator.search.objectives import Evidence, Reading
from orchestrator.search.precision import further_repeats
from orchestrator.store import Store
from orchestrator.store.reading.sweep_outcomes import job_outcomes
from search_spaces import Grid, Objective, Space
from workers.spec.job import Job

_READ = frozenset({"pretrain", "fine_tune", "defend", "evaluate", "craft", "attack"})


@dataclass(frozen=True)
class Complete:
    """The trial's objectives, in the space's order, and by how much it violates each constraint (at most 0 where it does not)."""

    values: tuple[float, ...]
    violations: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The trial has no values, for a reason in one line; `by_job`: a job failed, and may succeed when it is tried again."""

    reason: str
    by_job: bool = False


@dataclass(frozen=True)
class Pruned:
    """The trial is given up before its last stage, for a reason in one line."""

    reason: str


Verdict = Complete | Failed | Pruned


class Course(Protocol):
    """What one trial is measured by. Recovery after a kill begins it anew: what it does must follow from the results alone."""

    def advance(self) -> Sequence[Job] | Verdict | None:
        """The next stage's jobs, parents first, or what the trial has come to; None: ask again later. Called first when the trial
        begins, and whenever every job of the stage before is done.

        Raises:
            SQLAlchemyError: the database cannot be read now; it may be called again.
        """


Courses = Callable[[Trial, Grid], Course]
"""Makes the course of a trial that has its identity, from the grid of its values."""


class WholeCourse:
    """All of the space's jobs in one stage, then repeats where an objective is not known well enough."""

    def __init__(self, space: Space, grid: Grid, store: Store, *, repeats: bool = True) -> None:
        """Measure the grid of a trial's values; without `repeats` as precisely as the space's jobs do."""
        self._space, self._grid, self._store, self._with_repeats = space, grid, store, repeats
        self._jobs: list[Job] = []

    def advance(self) -> Sequence[Job] | Verdict | None:
        if not self._jobs:
            self._jobs = distinct(jobs_of(self._grid))
            return self._jobs
        return self.conclude()

    def conclude(self) -> Sequence[Job] | Verdict | None:
        """What follows from the results of all jobs so far, which are done."""
        self._jobs = self._jobs or distinct(jobs_of(self._grid))
        outcomes = job_outcomes(self._store, [job.key for job in self._jobs])
        if any(job.key not in outcomes for job in self._jobs if job.stage in _READ):
            return None  # a result that the database could not take yet
        evidence = Evidence(self._space, self._grid, self._jobs, outcomes)
        try:
            readings = read_objectives(self._space, evidence)
        except ValueError as error:
            return Failed(str(error))
        if more := self._repeats(evidence, readings):
            self._jobs += more
            return more
        return concluded(self._space, evidence, readings)

    def _repeats(self, evidence: Evidence, readings: Sequence[Reading]) -> list[Job]:
        section = self._space.search
        if section is None or section.precision is None or not self._with_repeats:
            return []
        return further_repeats(section.precision, evidence, readings)


def read_objectives(space: Space, evidence: Evidence) -> list[Reading]:
    """The objectives of a space, in its order.

    Raises:
        ValueError: one has no value.
    """
    return [evidence.read(objective) for objective in space.search.objectives] if space.search else []


def concluded(space: Space, evidence: Evidence, readings: Sequence[Reading]) -> Verdict:
    """What a trial's readings come to, its constraints included; a value that is not finite is none."""
    section = space.search
    assert section is not None  # noqa: S101 (a space that is searched has it)
    violations = {str(one): one.violation(evidence.read(Objective(metric=one.metric)).value) for one in section.constraints}
    named = {objective.words: reading.value for objective, reading in zip(section.objectives, readings, strict=True)}
    wrong = [name for name, value in {**named, **violations}.items() if not math.isfinite(value)]
    if wrong:
        return Failed(f"not finite: {', '.join(wrong)}")
    return Complete(tuple(reading.value for reading in readings), violations)
