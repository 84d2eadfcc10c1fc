"""Progress of a search, for people: trials, the best so far, the time to the end."""

from optuna.study import Study
from optuna.trial import TrialState

from orchestrator.driver.scheduling.time_left import time_at_pace
from orchestrator.search.trial_index import KIND, TrialIndex
from orchestrator.search.trial_plan import Complete, Failed, TrialOutcome
from search_spaces import Objective, SearchSection
from search_spaces.schema.search_section import SHARES

ObjectiveValues = tuple[float, ...]


class SearchProgress:
    """Progress of a search, updated as trials finish; the thread of the progress display may read it meanwhile."""

    def __init__(self, study: Study, section: SearchSection, trial_index: TrialIndex) -> None:
        self._section, self._trial_index = section, trial_index
        self._signs = [1 if objective.goal == "maximize" else -1 for objective in section.objectives]
        self._front: list[ObjectiveValues] = []
        self._finished = 0
        self._error = ""
        finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
        self.failed = sum(
            trial.state == TrialState.FAIL and trial.user_attrs.get(KIND) not in ("illegal", "duplicate") for trial in finished
        )
        for trial in finished:
            if trial.state == TrialState.COMPLETE and all(violation <= 0 for violation in trial.constraints.values()):
                self._enter(tuple(trial.values))

    def add_outcome(self, outcome: TrialOutcome, *, counts: bool = True) -> None:
        """Record a finished trial of this launch; `counts` towards `n_trials` or not."""
        self._finished += counts
        self._error = ""
        self.failed += isinstance(outcome, Failed)
        if isinstance(outcome, Complete):
            self.add_result(outcome)

    def add_result(self, outcome: Complete) -> None:
        """Record a complete trial, also one whose results existed before the search suggested it."""
        if all(violation <= 0 for violation in outcome.violations.values()):
            self._enter(outcome.values)

    def record_error(self, reason: str) -> None:
        """Record that the database is failing."""
        self._error = f"; the database fails: {reason}"

    def _enter(self, values: ObjectiveValues) -> None:
        """Add the values to the front unless dominated, and remove those that they dominate."""
        if not any(self._no_worse(held, values) for held in self._front):
            self._front = [*(held for held in self._front if not self._no_worse(values, held)), values]

    def _no_worse(self, one: ObjectiveValues, other: ObjectiveValues) -> bool:
        return all(sign * a >= sign * b for sign, a, b in zip(self._signs, one, other, strict=True))

    def summary(self, *, running: int, uncounted: int = 0, ended: bool = False) -> str:
        """Return the trials by state, the number of those that run `uncounted`, and the best so far, as text; once the launch has `ended`,
        what was running is interrupted."""
        finished, state = self._trial_index.counted - running, "interrupted" if ended else "running"
        under_way = f", {running} {state}" + (f" and {uncounted} of their parents" if uncounted else "")
        states = (under_way if running or uncounted else "") + (f", {self.failed} failed" if self.failed else "")
        return f"{finished} of {self._section.n_trials} trials{states}{self.best()}{self._error}"

    def best(self) -> str:
        """Return the best so far, after a separator; with several objectives, the size of the front and the best of each."""
        front = list(self._front)
        if not front:
            return ""
        bests = [max(column) if sign > 0 else min(column) for sign, column in zip(self._signs, zip(*front, strict=True), strict=True)]
        words = ", ".join(_objective_text(objective, value) for objective, value in zip(self._section.objectives, bests, strict=True))
        return f"; best so far: {words}" if len(bests) == 1 else f"; {len(front)} on the front, best of each: {words}"

    def seconds_left(self, elapsed: float, *, running: int) -> float | None:
        """Return the estimated seconds to the end, from this launch's rate; None before its first trial is finished."""
        return time_at_pace(elapsed, done=self._finished, left=self._section.n_trials - self._trial_index.counted + running)


def _objective_text(objective: Objective, value: float) -> str:
    return f"{objective.words} {value:.1%}" if objective.metric in SHARES else f"{objective.words} {value:,.6g}"
