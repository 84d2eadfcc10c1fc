"""Search as a source of jobs: asks the study for trials, hands out their jobs, and tells the study their outcomes."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from optuna import Trial
from optuna.exceptions import StorageInternalError
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.driver.recorder import Recorder
from orchestrator.planning.expand import deduplicate, grid_jobs
from orchestrator.planning.plan import make_plan
from orchestrator.planning.prelaunch_checks import check_sizes
from orchestrator.search.baseline_trials import baseline_of
from orchestrator.search.optuna_storage import trial_id
from orchestrator.search.rung_table import PROMOTES, inherited
from orchestrator.search.samplers import random_sampler, sampler_of
from orchestrator.search.search_progress import SearchProgress
from orchestrator.search.studies import is_exhausted, mark_exhausted
from orchestrator.search.suggest import ParameterValues, suggest
from orchestrator.search.trial_index import (
    FAILED,
    FAILED_PARENT,
    IDENTITY,
    JOB_KEYS,
    KIND,
    MODEL_KEY,
    PARENT,
    RETRY_OF,
    UNCOUNTED,
    TrialIndex,
    evaluated,
    identity_of,
)
from orchestrator.search.trial_plan import Complete, Failed, Pruned, TrialPlans
from orchestrator.search.trials import LiveTrial, tell, tell_duplicate
from orchestrator.store import Store, finished_keys
from orchestrator.store.connection.urls import scrubbed
from orchestrator.store.leases.leases import confirm
from orchestrator.store.writing import record as write
from search_spaces import Grid, Space
from workers.artifacts.artifacts import Artifacts
from workers.errors import UserError
from workers.spec.job import Job

_REPEATING = 5  # suggestions in a row without a new configuration, after which random ones are tried
_EXHAUSTED = 100  # suggestions in a row without a new configuration, after which the search is exhausted
_RETRY_SECONDS = 2.0
_PATIENCE_SECONDS = 600.0
_TROUBLE = (SQLAlchemyError, StorageInternalError)


class Search:
    """`JobSource` of a search. All its state is in the database: a search that was killed continues when it is opened again.

    A trial that is running in the study when the search is opened is continued: its missing values are suggested, its jobs follow from
    the values, those that are done are found by key, and its outcome is told once. The order of writes guarantees this even if a kill
    comes between them: a trial's jobs are in the store before its attributes name them, and its verdict is told last.
    """

    def __init__(
        self,
        study: Study,
        space: Space,
        store: Store,
        *,
        storage: BaseStorage,
        recorder: Recorder,
        artifacts: Artifacts,
        trial_plans: TrialPlans,
        warm_start: Callable[["Search"], None] | None = None,
    ) -> None:
        """Open the search on the study in `storage`; nothing is written before the first call of `more`, which `warm_start` is part of."""
        assert space.search is not None  # noqa: S101 (only a space with method optuna is searched)
        self.study, self.space, self.section, self.store = study, space, space.search, store
        self._storage, self._recorder, self._trial_plans, self._warm_start = storage, recorder, trial_plans, warm_start
        self.recorded, self._on_disk = set(finished_keys(store)), set(artifacts.finished())
        self.trial_index = TrialIndex(study)
        self.progress = SearchProgress(study, self.section, self.trial_index)
        self.live: dict[int, LiveTrial] = {}
        self._conditional = any(parameter.when for parameter in space.parameters)
        self._lost: set[str] = set()
        self._waiting_for: defaultdict[str, set[int]] = defaultdict(set)
        self._outbox: list[Job] = []
        self._started: float | None = None
        self._recovering = True
        self._repeated, self._exhausted = self.trial_index.repeated(), is_exhausted(study, space)
        self._over = self._confirmed = False
        self._trouble_since: float | None = None
        self._retry_at = 0.0

    @property
    def nothing_to_do(self) -> bool:
        """True where every trial is finished, and no other will be asked for."""
        return not (self._unfinished() or self._has_budget() or self.trial_index.to_retry())

    def more(self, *, idle: bool) -> Sequence[Job]:
        """Tell the study the outcomes that are known; if a worker is idle, ask for trials until one has jobs or enough are under way.

        Raises:
            UserError: the database has been failing for too long, and nothing is under way.
            LeaseLost: another driver has the sweep.
        """
        self._confirmed = False
        try:
            if time.monotonic() >= self._retry_at:
                self._proceed(idle=idle)
        except _TROUBLE as error:
            self._bear(error)
        brought, self._outbox = self._outbox, []
        return brought

    def succeeded(self, job: Job) -> None:
        self.recorded.add(job.key)
        self._on_disk.add(job.key)
        for live in self._waiting(job):
            live.pending.discard(job.key)

    def failed(self, job: Job) -> None:
        self._lost.add(job.key)
        for live in self._waiting(job):
            live.verdict = _failed_by(job)

    def _waiting(self, job: Job) -> list[LiveTrial]:
        """Return the trials that wait for the job, without those already told because another of their jobs failed."""
        return [self.live[number] for number in self._waiting_for.pop(job.key, ()) if number in self.live]

    @property
    def drained(self) -> bool:
        return self._over

    def summary(self) -> str:
        return self.progress.summary(running=self._counted_running(), beside=len(self.live) - self._counted_running())

    def seconds_left(self, elapsed: float) -> float | None:
        return self.progress.seconds_left(elapsed, running=self._counted_running())

    def _counted_running(self) -> int:
        return sum(live.counts for live in list(self.live.values()))

    def conclusion(self) -> str:
        """Describe the end of the search in one line."""
        exhausted = "; nothing new is left in these ranges" if self._exhausted else ""
        timed_out = f"; stopped asking after {self.section.timeout:g} s" if self._timed_out() else ""
        return f"{self.summary()}{exhausted}{timed_out}"

    def _proceed(self, *, idle: bool) -> None:
        if self._started is None:
            self._prepare()
        self._settle()
        while idle and not self._outbox and self._may_begin():
            self._begin()
            self._settle()
        self._over = idle and not (self.live or self._outbox)
        self._trouble_since = None

    def _prepare(self) -> None:
        """Warm-start the search, and enqueue again the trials whose job failed, as a launch retries a grid's failed jobs."""
        if self._warm_start is not None:
            self._warm_start(self)
        for trial in self.trial_index.to_retry():
            identity = trial.user_attrs[IDENTITY]
            kept = {KIND: PARENT} if trial.user_attrs[KIND] == FAILED_PARENT else inherited(trial.user_attrs)
            again = {**kept, RETRY_OF: trial.number, IDENTITY: identity}
            self.study.enqueue_trial(trial.params, user_attrs=again)
        self._started = time.monotonic()

    def _bear(self, error: Exception) -> None:
        """Handle a database error: everything is retried soon, and unfinished work continues from its recorded state."""
        now = time.monotonic()
        self._recovering, self._retry_at = True, now + _RETRY_SECONDS
        self._trouble_since = self._trouble_since or now
        said = scrubbed(str(error.__cause__ or error), self.store.engine.url)
        self.progress.record_error(said)
        if now - self._trouble_since > _PATIENCE_SECONDS and not any(live.pending for live in self.live.values()):
            raise UserError(f"sweep {self.space.name}: the database has been failing for {_PATIENCE_SECONDS:.0f} s: {said}") from error

    def _settle(self) -> None:
        for number in list(self.live):
            while self._step(number, self.live[number]):
                pass

    def _step(self, number: int, live: LiveTrial) -> bool:
        """Advance the trial by one step; return whether there may be another."""
        if live.verdict is not None:
            self._conclude(number, live)
            return False
        if live.stage:
            self._hand_out(number, live)
            return True
        if live.pending or (step := live.plan.advance()) is None:
            return False
        if isinstance(step, Complete | Failed | Pruned):
            live.verdict = step
        else:
            live.stage = step
        return True

    def _hand_out(self, number: int, live: LiveTrial) -> None:
        """Hand out the jobs of the trial's stage that have no result yet."""
        if lost := [job for job in live.stage if job.key in self._lost]:
            live.verdict = _failed_by(lost[0])
            return
        write.add_jobs(self.store, self.space.name, live.stage, lease=self._recorder.lease)
        jobs = deduplicate([*live.jobs, *live.stage])
        if new := [model for model in evaluated(live.stage) if model not in evaluated(live.jobs)]:
            live.trial.set_user_attr(MODEL_KEY, new[0])
        live.trial.set_user_attr(JOB_KEYS, [job.key for job in jobs])
        plan = make_plan(jobs, recorded=self.recorded, finished=self._on_disk)
        for job in plan.jobs:
            if job.key in plan.unrecorded:
                self._recorder.finished(job)
                self.recorded.add(job.key)
        live.jobs, live.stage = jobs, ()
        live.pending = {job.key for job in plan.to_run}
        for key in live.pending:
            self._waiting_for[key].add(number)
        self._outbox += plan.to_run

    def _conclude(self, number: int, live: LiveTrial) -> None:
        assert live.verdict is not None  # noqa: S101 (`_step` has looked)
        self._confirm_lease()
        failed = isinstance(live.verdict, Failed) and live.verdict.by_job
        kind = {KIND: FAILED if live.counts else FAILED_PARENT} if failed else {}
        tell(self.study, live.trial, live.verdict, **kind)
        while live.duplicates:
            tell_duplicate(self.study, live.duplicates[-1], self._told(number))
            live.duplicates.pop()
        del self.live[number]
        self.progress.told(live.verdict, counts=live.counts)

    def _confirm_lease(self) -> None:
        """Check the lease before Optuna writes, since its writes are not fenced: once in each call of `more`.

        Raises:
            LeaseLost: another driver has taken it.
        """
        if not self._confirmed:
            with self.store.reading() as connection:
                confirm(connection, self._recorder.lease)
            self._confirmed = True

    def _told(self, number: int) -> Any:
        return self.study.get_trials(deepcopy=False)[number]

    def _may_begin(self) -> bool:
        if len(self.live) >= self.section.n_parallel:
            return False
        wanted = not self._timed_out() and (self._has_budget() or self._is_waiting())
        # At the end too: the driver before this one may have asked for a trial meanwhile.
        self._recovering = (self._recovering or not (wanted or self.live)) and self._orphan() is not None
        return self._recovering or wanted

    def _timed_out(self) -> bool:
        limit = self.section.timeout
        return limit is not None and self._started is not None and time.monotonic() - self._started > limit

    def _has_budget(self) -> bool:
        return self.trial_index.counted < self.section.n_trials and not self._exhausted

    def _is_waiting(self) -> bool:
        """Return whether a trial is enqueued."""
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def _unfinished(self) -> bool:
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING)))

    def _orphan(self) -> Trial | None:
        """Return a trial that is running in the study but not in this search."""
        known = {*self.live, *(twin.number for live in self.live.values() for twin in live.duplicates)}
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        left = [trial for trial in running if trial.number not in known]
        return Trial(self.study, trial_id(self._storage, self.study, left[0].number)) if left else None

    def _begin(self) -> None:
        """Ask for a trial, or continue one, which is afterwards under way or already told."""
        self._confirm_lease()
        trial = (self._orphan() if self._recovering else None) or self.study.ask()
        self.study.sampler = self._sampler(trial.number)
        values = suggest(trial, self.space.parameters)
        try:
            grid = self.space.at(values)
            jobs = deduplicate(grid_jobs(grid))
            check_sizes(jobs)
        except (ValueError, UserError) as error:
            tell(self.study, trial, Failed(str(error)), **{KIND: "illegal"})
            self._note_repetition()
        else:
            self._begin_with(trial, grid, identity_of(jobs))
            if self.section.parents:
                self._enqueue_parent(values, jobs)

    def _sampler(self, trial: int) -> BaseSampler:
        if self._repeated >= _REPEATING:
            return random_sampler(self.section, trial=trial)
        return sampler_of(self.section, trial=trial, tried=self.trial_index.tried, conditional=self._conditional)

    def _enqueue_parent(self, values: ParameterValues, jobs: Sequence[Job]) -> None:
        """Enqueue a trial of the model that this one is fine-tuned from, unless there is one."""
        parent = baseline_of(self.space, values, jobs)
        if parent is None or self.trial_index.knows(parent.identity):
            return
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING))
        if all(trial.user_attrs.get(IDENTITY) != parent.identity for trial in waiting):
            self.study.enqueue_trial(dict(parent.values), user_attrs={KIND: PARENT, IDENTITY: parent.identity})

    def _begin_with(self, trial: Trial, grid: Grid, identity: str) -> None:
        trial.set_user_attr(IDENTITY, identity)
        original = self.trial_index.number_of(identity)
        if original is None or (PROMOTES in trial.user_attrs and original not in self.live):
            kind = trial.user_attrs.get(KIND)
            self.live[trial.number] = LiveTrial(trial, identity, self._trial_plans(trial, grid), counts=kind not in UNCOUNTED)
            self.trial_index.begin(identity, trial.number, kind=kind)
            self._repeated = 0
            return
        if original in self.live:
            self.live[original].duplicates.append(trial)
        else:
            tell_duplicate(self.study, trial, self._told(original))
        self._note_repetition()

    def _note_repetition(self) -> None:
        self._repeated += 1
        if self._repeated >= _EXHAUSTED:
            mark_exhausted(self.study, self.space)
            self._exhausted = True


def _failed_by(job: Job) -> Failed:
    return Failed(f"{job.stage} job {job.key} failed; robustsweep status --failed says why", by_job=True)
