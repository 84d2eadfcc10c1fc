"""Search as a source of jobs: asks the study for trials, hands out their jobs, and tells the study their outcomes."""

from collections.abc import Callable, Sequence

from orchestrator.search.live_trials import LiveTrials
from orchestrator.search.optuna_storage import DATABASE_ERRORS, DatabaseRetry
from orchestrator.search.search_state import SearchState
from orchestrator.search.trial_plan import TrialPlans
from orchestrator.search.trial_starter import TrialStarter
from orchestrator.search.winners import Winners
from orchestrator.store.connection.urls import scrubbed
from workers.errors import UserError
from workers.spec.job import Job


class Search:
    """`JobSource` of a search. All its state is in the database: a search that was killed continues when it is opened again.

    A trial that is running in the study when the search is opened is continued: its missing values are suggested, its jobs follow from
    the values, those that are done are found by key, and its outcome is told once. The order of writes guarantees this even if a kill
    comes between them: a trial's jobs are in the store before its attributes name them, and its outcome is told last.
    """

    def __init__(self, state: SearchState, *, trial_plans: TrialPlans, warm_start: Callable[[SearchState], None] | None = None) -> None:
        """Search from this state; nothing is written before the first call of `more`, which `warm_start` is part of."""
        self.state = state
        self._trials, self._starter, self._winners = LiveTrials(state), TrialStarter(state, trial_plans), Winners(state)
        self._database, self._warm_start = DatabaseRetry(), warm_start
        self._prepared = self._over = False

    @property
    def nothing_to_do(self) -> bool:
        """True where every trial is finished, no other will be asked for, and the winners are measured on test."""
        return self._starter.nothing_left and not self._winners.left

    @property
    def job_keys(self) -> frozenset[str]:
        """Keys of all jobs of its trials, and of its winners' measurements."""
        return frozenset({*self.state.trial_index.job_keys(), *(job.key for job in self._winners.jobs())})

    def more(self, *, idle: bool) -> Sequence[Job]:
        """Tell the study the outcomes that are known; if a worker is idle, ask for trials until one has jobs or enough are under way.

        Raises:
            UserError: the database has been failing for too long, and nothing is under way.
            LeaseLost: another driver has the sweep.
        """
        self.state.expire_lease_check()
        try:
            if self._database.is_due:
                self._proceed(idle=idle)
        except DATABASE_ERRORS as error:
            self._handle_database_error(error)
        return self._trials.take_jobs()

    def succeeded(self, job: Job) -> None:
        self._trials.job_succeeded(job)

    def failed(self, job: Job) -> None:
        self._trials.job_failed(job)

    @property
    def drained(self) -> bool:
        return self._over

    def summary(self, *, ended: bool = False) -> str:
        running = self.state.counted_running
        return self.state.progress.summary(running=running, uncounted=len(self.state.live) - running, ended=ended)

    def seconds_left(self, elapsed: float) -> float | None:
        return self.state.progress.seconds_left(elapsed, running=self.state.counted_running)

    def conclusion(self) -> str:
        """Describe the end of the search in one line."""
        exhausted = "; nothing new is left in these ranges" if self._starter.exhausted else ""
        timed_out = f"; stopped asking after {self.state.section.timeout:g} s" if self._starter.timed_out else ""
        return f"{self.summary(ended=True)}{exhausted}{timed_out}"

    def _proceed(self, *, idle: bool) -> None:
        if not self._prepared:
            self._prepare()
        self._trials.advance()
        while idle and not self._trials.has_jobs and self._starter.may_start():
            self._starter.start()
            self._trials.advance()
        if idle and not (self.state.live or self._trials.has_jobs):
            self._trials.put(self._winners.dispatch())
            self._over = not self._trials.has_jobs
        self._database.succeeded()

    def _prepare(self) -> None:
        """Warm-start the search, enqueue failed trials again, and start the clock."""
        if self._warm_start is not None:
            self._warm_start(self.state)
        self._starter.retry_failed_trials()
        self._starter.start_clock()
        self._prepared = True

    def _handle_database_error(self, error: Exception) -> None:
        """Retry everything soon; unfinished work continues from its recorded state.

        Raises:
            UserError: the database has been failing for too long, and nothing is under way.
        """
        self._database.failed()
        self._starter.recover()
        reason = scrubbed(str(error.__cause__ or error), self.state.store.engine.url)
        self.state.progress.record_error(reason)
        if (seconds := self._database.timeout) is not None and not any(live.pending for live in self.state.live.values()):
            raise UserError(f"sweep {self.state.space.name}: the database has been failing for {seconds:.0f} s: {reason}") from error
