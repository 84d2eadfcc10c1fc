"""Start of trials: new ones are asked of the study, orphaned ones continued, repetitions told at once."""

import time
from collections.abc import Sequence

from optuna import Trial
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from orchestrator.planning.prelaunch_checks import check_effects, check_sizes
from orchestrator.planning.racing.raced_attacks import jobs_to_the_end
from orchestrator.search.optuna_storage import trial_id
from orchestrator.search.rung_table import PROMOTES, inherited
from orchestrator.search.samplers import ParameterValues, random_sampler, sampler_of, suggest, suggested
from orchestrator.search.search_state import SearchState
from orchestrator.search.studies import is_exhausted, mark_exhausted
from orchestrator.search.trial_index import FAILED_PARENT, IDENTITY, KIND, PARENT, RETRY_OF, UNCOUNTED, identity_of
from orchestrator.search.trial_plan import Failed, TrialPlans
from orchestrator.search.trials import LiveTrial, tell, tell_duplicate
from orchestrator.search.warm_start import baseline_of
from search_spaces import Grid
from workers.errors import UserError
from workers.spec.job import Job

_REPEATING = 5  # suggestions in a row without a new configuration, after which random ones are tried
_EXHAUSTED = 100  # suggestions in a row without a new configuration, after which the search is exhausted


class TrialStarter:
    """Starter of a search's trials, as long as the search has a budget for them.

    `exhausted` is True once the sampler suggests nothing new in these ranges.
    """

    def __init__(self, state: SearchState, trial_plans: TrialPlans) -> None:
        self._state, self._trial_plans = state, trial_plans
        self._conditional = any(parameter.when for parameter in state.space.parameters)
        self._recovering = True
        self._started: float | None = None
        self._repeated, self.exhausted = state.trial_index.repeated(), is_exhausted(state.study, state.space)

    @property
    def nothing_left(self) -> bool:
        """True where every trial is finished, and no other will be asked for."""
        unfinished = self._state.trials(TrialState.WAITING, TrialState.RUNNING)
        return not (unfinished or self._has_budget() or self._state.trial_index.to_retry())

    @property
    def timed_out(self) -> bool:
        limit = self._state.section.timeout
        return limit is not None and self._started is not None and time.monotonic() - self._started > limit

    def start_clock(self) -> None:
        """Begin to count the time that the search may ask for trials."""
        self._started = time.monotonic()

    def recover(self) -> None:
        """Look for orphaned trials before asking for new ones: a failed write may have left some."""
        self._recovering = True

    def retry_failed_trials(self) -> None:
        """Enqueue again the trials whose job failed, as a launch retries a grid's failed jobs."""
        for trial in self._state.trial_index.to_retry():
            identity = trial.user_attrs[IDENTITY]
            kept = {KIND: PARENT} if trial.user_attrs[KIND] == FAILED_PARENT else inherited(trial.user_attrs)
            self._state.study.enqueue_trial(trial.params, user_attrs={**kept, RETRY_OF: trial.number, IDENTITY: identity})

    def may_start(self) -> bool:
        """Return whether another trial may be under way now."""
        live = self._state.live
        if len(live) >= self._state.section.n_parallel:
            return False
        wanted = not self.timed_out and (self._has_budget() or bool(self._state.trials(TrialState.WAITING)))
        # At the end too: the driver before this one may have asked for a trial meanwhile.
        self._recovering = (self._recovering or not (wanted or live)) and self._orphaned_trial() is not None
        return self._recovering or wanted

    def _has_budget(self) -> bool:
        return self._state.trial_index.counted < self._state.section.n_trials and not self.exhausted

    def _orphaned_trial(self) -> Trial | None:
        """Return a trial that is running in the study but not in this search."""
        state = self._state
        known = {*state.live, *(duplicate.number for live in state.live.values() for duplicate in live.duplicates)}
        orphans = [trial for trial in state.trials(TrialState.RUNNING) if trial.number not in known]
        return Trial(state.study, trial_id(state.storage, state.study, orphans[0].number)) if orphans else None

    def start(self) -> None:
        """Ask for a trial, or continue one, which is afterwards under way or already told.

        Raises:
            LeaseLost: another driver has the sweep.
        """
        state = self._state
        state.confirm_lease()
        trial = (self._orphaned_trial() if self._recovering else None) or state.study.ask()
        state.study.sampler = self._sampler(trial.number)
        values = suggest(trial, state.space.parameters)
        try:
            grid = state.space.at(values)
            jobs = jobs_to_the_end(grid)
            check_sizes(jobs)
            check_effects(jobs)
        except (ValueError, UserError) as error:
            tell(state.study, trial, Failed(str(error)), **{KIND: "illegal"})
            self._count_repetition()
        else:
            self._start_with(trial, grid, identity_of(jobs))
            if state.section.parents:
                self._enqueue_baseline(values, jobs)

    def _sampler(self, trial: int) -> BaseSampler:
        if self._repeated >= _REPEATING:
            return random_sampler(self._state.section, trial=trial)
        return sampler_of(self._state.section, trial=trial, tried=self._state.trial_index.tried, conditional=self._conditional)

    def _start_with(self, trial: Trial, grid: Grid, identity: str) -> None:
        """Start the trial of a configuration that is new or promoted; give a repetition the outcome of the original."""
        state = self._state
        trial.set_user_attr(IDENTITY, identity)
        original = state.trial_index.number_of(identity)
        if original is None or (PROMOTES in trial.user_attrs and original not in state.live):
            kind = trial.user_attrs.get(KIND)
            state.live[trial.number] = LiveTrial(trial, identity, self._trial_plans(trial, grid), counts=kind not in UNCOUNTED)
            state.trial_index.begin(identity, trial.number, kind=kind)
            self._repeated = 0
            return
        if original in state.live:
            state.live[original].duplicates.append(trial)
        else:
            tell_duplicate(state.study, trial, state.finished_trial(original))
        self._count_repetition()

    def _enqueue_baseline(self, values: ParameterValues, jobs: Sequence[Job]) -> None:
        """Enqueue a trial of the model that this one is fine-tuned from, unless there is one."""
        state = self._state
        baseline = baseline_of(state.space, values, jobs)
        if baseline is None or state.trial_index.knows(baseline.identity):
            return
        unfinished = state.trials(TrialState.WAITING, TrialState.RUNNING)
        if all(trial.user_attrs.get(IDENTITY) != baseline.identity for trial in unfinished):
            state.study.enqueue_trial(
                suggested(baseline.values, state.space.parameters), user_attrs={KIND: PARENT, IDENTITY: baseline.identity}
            )

    def _count_repetition(self) -> None:
        self._repeated += 1
        if self._repeated >= _EXHAUSTED:
            mark_exhausted(self._state.study, self._state.space)
            self.exhausted = True
