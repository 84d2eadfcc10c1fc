"""Stages of a trial: each yields results, until the trial's outcome is known."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from optuna import Trial

from orchestrator.planning.racing.raced_attacks import jobs_to_the_end
from orchestrator.search.objectives import Reading, TrialEvidence
from orchestrator.search.rung_jobs import further_repeats
from orchestrator.store import Store
from orchestrator.store.reading.study_trials import JobOutcome, job_outcomes
from search_spaces import Grid, Objective, Space
from workers.spec.job import Job

_READ = frozenset({"pretrain", "adopt", "fine_tune", "select", "defend", "evaluate", "craft", "attack"})


@dataclass(frozen=True)
class Complete:
    """Trial with values: its objectives, in the space's order, and the violation of each constraint (at most 0 where satisfied)."""

    values: tuple[float, ...]
    violations: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """Trial without values, for a reason in one line; `by_job`: a job failed, and may succeed when it is retried."""

    reason: str
    by_job: bool = False


@dataclass(frozen=True)
class Pruned:
    """Trial that is stopped before its last stage, for a reason in one line."""

    reason: str


TrialOutcome = Complete | Failed | Pruned


class TrialPlan(Protocol):
    """Stages of one trial's jobs. Recovery after a kill starts it again, so its steps must depend on the results alone."""

    def advance(self) -> Sequence[Job] | TrialOutcome | None:
        """Return the next stage's jobs, parents first, or the trial's outcome; None: call again later. Called first when the trial
        begins, and whenever every job of the previous stage is done.

        Raises:
            SQLAlchemyError: the database cannot be read now; the call may be repeated.
        """


TrialPlans = Callable[[Trial, Grid], TrialPlan]
"""Factory of a trial's plan, from the trial, whose identity is set, and the grid of its values."""


class FullTrialPlan:
    """Plan with all of the space's jobs in one stage, then repeats where an objective is not precise enough."""

    def __init__(self, space: Space, grid: Grid, store: Store, *, repeats: bool = True) -> None:
        """Measure the grid of a trial's values; without `repeats`, with the space's own jobs only."""
        self._space, self._grid, self._store, self._with_repeats = space, grid, store, repeats
        self._jobs: list[Job] = []

    def advance(self) -> Sequence[Job] | TrialOutcome | None:
        if not self._jobs:
            self._jobs = jobs_to_the_end(self._grid)
            return self._jobs
        return self.conclude()

    def conclude(self) -> Sequence[Job] | TrialOutcome | None:
        """Return the next jobs or the outcome, given that all jobs so far are done; None while results are missing."""
        self._jobs = self._jobs or jobs_to_the_end(self._grid)
        if (outcomes := complete_outcomes(self._store, self._jobs)) is None:
            return None
        evidence = TrialEvidence(self._space, self._grid, self._jobs, outcomes)
        try:
            readings = read_objectives(self._space, evidence)
        except ValueError as error:
            return Failed(str(error))
        if more := self._repeats(evidence, readings):
            self._jobs += more
            return more
        return conclude_trial(self._space, evidence, readings)

    def _repeats(self, evidence: TrialEvidence, readings: Sequence[Reading]) -> list[Job]:
        section = self._space.search
        if section is None or section.precision is None or not self._with_repeats:
            return []
        return further_repeats(section.precision, evidence, readings)


def complete_outcomes(store: Store, jobs: Sequence[Job]) -> dict[str, JobOutcome] | None:
    """Return the outcomes of jobs by their keys; None while a result that objectives read is not in the database yet."""
    outcomes = job_outcomes(store, [job.key for job in jobs])
    return None if any(job.key not in outcomes for job in jobs if job.stage in _READ) else outcomes


def read_objectives(space: Space, evidence: TrialEvidence) -> list[Reading]:
    """Return the readings of a space's objectives, in its order.

    Raises:
        ValueError: one has no value.
    """
    return [evidence.read(objective) for objective in space.search.objectives] if space.search else []


def conclude_trial(space: Space, evidence: TrialEvidence, readings: Sequence[Reading]) -> TrialOutcome:
    """Return a trial's outcome from its readings and its constraints; it has failed if a value is not finite."""
    section = space.search
    assert section is not None  # noqa: S101 (a space that is searched has it)
    violations = {str(one): one.violation(evidence.read(Objective(metric=one.metric)).value) for one in section.constraints}
    named = {objective.words: reading.value for objective, reading in zip(section.objectives, readings, strict=True)}
    wrong = [name for name, value in {**named, **violations}.items() if not math.isfinite(value)]
    if wrong:
        return Failed(f"not finite: {', '.join(wrong)}")
    return Complete(tuple(reading.value for reading in readings), violations)
