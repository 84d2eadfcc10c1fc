"""Stages of a trial with successive halving: the rungs of the search, each cheaper than the next, then all measurements of its space."""

import math
from collections.abc import Sequence

from optuna import Trial

from orchestrator.planning.training_chain import with_resume_points
from orchestrator.search.rung_jobs import RungEvidence, proxy_jobs
from orchestrator.search.rung_table import RungTable
from orchestrator.search.trial_plan import Failed, FullTrialPlan, Pruned, TrialOutcome, complete_outcomes, read_objectives
from orchestrator.store import Store
from search_spaces import Grid, Objective, Rung, Space
from workers.artifacts.artifacts import Artifacts
from workers.spec.job import Earlier, Job
from workers.spec.stage_specs import TrainSpec


class AshaTrialPlan:
    """Plan over the rungs: on each the model is trained that far and measured cheaply, and its trial is pruned unless among the best.

    Recorded decisions are read, not made again: started again after a kill or for a promotion, the plan returns from the recorded
    results to its last state.
    """

    def __init__(self, space: Space, grid: Grid, store: Store, *, trial: Trial, rungs: RungTable, artifacts: Artifacts) -> None:
        assert space.search is not None  # noqa: S101 (only a space with method optuna is searched)
        self._space, self._grid, self._store, self._artifacts = space, grid, store, artifacts
        self._section, self._trial, self._rungs = space.search, trial, rungs
        self._whole = FullTrialPlan(space, grid, store)
        self._rung = 0
        self._jobs: list[Job] = []
        self._trained: dict[str, list[Earlier]] = {}

    def advance(self) -> Sequence[Job] | TrialOutcome | None:
        if self._rung == len(self._section.rungs):
            return self._hinted(self._whole.advance())
        if not self._jobs:
            self._jobs = proxy_jobs(self._space, self._grid, self._here)
            return self._hinted(self._jobs)
        recorded = self._rungs.goes_on(self._trial, self._rung)
        if recorded is not None:
            self._rungs.promote(self._rung)
        goes_on = self._decide() if recorded is None else recorded
        if not isinstance(goes_on, bool):
            return goes_on
        if not goes_on:
            return Pruned(f"not among the best 1 in {self._section.reduction_factor} on rung {self._rung + 1}")
        return self._climb()

    @property
    def _here(self) -> Rung:
        return self._section.rungs[self._rung]

    def _climb(self) -> Sequence[Job] | TrialOutcome | None:
        for job in self._jobs:
            if isinstance(job.spec, TrainSpec) and job.spec.is_rung:
                self._trained.setdefault(job.trunk_key, []).insert(0, Earlier(key=job.key, epochs=job.spec.last_epoch))
        self._rung += 1
        self._jobs = []
        return self.advance()

    def _hinted(self, step: Sequence[Job] | TrialOutcome | None) -> Sequence[Job] | TrialOutcome | None:
        """Let the trainings among the jobs resume from the previous rungs."""
        return with_resume_points(step, self._trained, self._artifacts) if isinstance(step, Sequence) else step

    def _decide(self) -> bool | Failed | None:
        if (outcomes := complete_outcomes(self._store, self._jobs)) is None:
            return None
        evidence = RungEvidence(self._space, self._grid, self._jobs, outcomes, steps=self._here.steps)
        try:
            values = tuple(reading.value for reading in read_objectives(self._space, evidence))
        except ValueError as error:
            return Failed(f"rung {self._rung + 1}: {error}")
        if not all(map(math.isfinite, values)):
            return Failed(f"rung {self._rung + 1}: not finite: {', '.join(map(str, values))}")
        return self._rungs.decide(self._trial, self._rung, values, self._violation(evidence))

    def _violation(self, evidence: RungEvidence) -> float:
        """Return the model's excess parameters as a share of the bound; other constraints are unknown before full training and attacks."""
        known = [constraint for constraint in self._section.constraints if constraint.metric == "parameters"]
        parameters = evidence.read(Objective(metric="parameters")).value
        return sum(max(0.0, constraint.violation(parameters)) / max(constraint.bound, 1.0) for constraint in known)
