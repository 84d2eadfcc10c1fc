"""How far a search is, for people: trials, the best so far, the time to the end."""

from optuna.study import Study
from optuna.trial import TrialState

from orchestrator.scheduling.time_left import time_at_pace
from orchestrator.search.trial_index import KIND, Ledger
from orchestrator.search.trial_plan import Complete, Failed, Verdict
from search_spaces import Objective, SearchSection
from search_spaces.schema.search_section import SHARES

Values = tuple[float, ...]


class Outlook:
    """Kept up as trials are told; a thread that shows the progress may ask for words meanwhile."""

    def __init__(self, study: Study, section: SearchSection, ledger: Ledger) -> None:
        self._section, self._ledger = section, ledger
        self._signs = [1 if objective.goal == "maximize" else -1 for objective in section.objectives]
        self._front: list[Values] = []
        self._told = 0
        self._trouble = ""
        finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
        self.failed = sum(
            trial.state == TrialState.FAIL and trial.user_attrs.get(KIND) not in ("illegal", "duplicate") for trial in finished
        )
        for trial in finished:
            if trial.state == TrialState.COMPLETE and all(violation <= 0 for violation in trial.constraints.values()):
                self._enter(tuple(trial.values))

    def told(self, verdict: Verdict, *, counts: bool = True) -> None:
        """A trial of this launch is finished; whether it counts towards `n_trials`."""
        self._told += counts
        self._trouble = ""
        self.failed += isinstance(verdict, Failed)
        if isinstance(verdict, Complete):
            self.found(verdict)

    def found(self, verdict: Complete) -> None:
        """A trial that was there before the search asked for it."""
        if all(violation <= 0 for violation in verdict.violations.values()):
            self._enter(verdict.values)

    def trouble(self, said: str) -> None:
        """The database fails meanwhile."""
        self._trouble = f"; the database fails: {said}"

    def _enter(self, values: Values) -> None:
        """Keep the values on the front that nothing there is better than in everything."""
        if not any(self._no_worse(held, values) for held in self._front):
            self._front = [*(held for held in self._front if not self._no_worse(values, held)), values]

    def _no_worse(self, one: Values, other: Values) -> bool:
        return all(sign * a >= sign * b for sign, a, b in zip(self._signs, one, other, strict=True))

    def words(self, *, running: int, beside: int = 0) -> str:
        """The trials by state, those that run `beside` them without counting, and the best so far."""
        finished = self._ledger.counted - running
        states = f"{running} running" + (f" beside {beside} of their parents" if beside else "")
        states += f", {self.failed} failed" if self.failed else ""
        return f"{finished} of {self._section.n_trials} trials, {states}{self.best()}{self._trouble}"

    def best(self) -> str:
        """The best so far, with the separator before it; of several objectives how many trials are on the front, and each one's best."""
        front = list(self._front)
        if not front:
            return ""
        bests = [max(column) if sign > 0 else min(column) for sign, column in zip(self._signs, zip(*front, strict=True), strict=True)]
        words = ", ".join(_shown(objective, value) for objective, value in zip(self._section.objectives, bests, strict=True))
        return f"; best so far: {words}" if len(bests) == 1 else f"; {len(front)} on the front, best of each: {words}"

    def seconds_left(self, elapsed: float, *, running: int) -> float | None:
        """By the pace of this launch."""
        return time_at_pace(elapsed, done=self._told, left=self._section.n_trials - self._ledger.counted + running)


def _shown(objective: Objective, value: float) -> str:
    return f"{objective.words} {value:.1%}" if objective.metric in SHARES else f"{objective.words} {value:,.6g}"
