"""Advance of the trials under way: their jobs are dispatched stage by stage, and their outcomes told to the study."""

from collections import defaultdict
from collections.abc import Sequence

from orchestrator.planning.expand import deduplicate
from orchestrator.planning.plan import make_plan
from orchestrator.search.search_state import SearchState
from orchestrator.search.trial_index import FAILED, FAILED_PARENT, JOB_KEYS, KIND, MODEL_KEY, evaluated, tested_datasets
from orchestrator.search.trial_plan import Complete, Failed, Pruned
from orchestrator.search.trials import LiveTrial, tell, tell_duplicate
from orchestrator.store.writing import record as write
from orchestrator.store.writing.record import record_test_looks
from workers.spec.job import Job


class LiveTrials:
    """Trials under way (`SearchState.live`) with the jobs that they wait for."""

    def __init__(self, state: SearchState) -> None:
        self._state = state
        self._failed_keys: set[str] = set()
        self._waiting_for: defaultdict[str, set[int]] = defaultdict(set)
        self._outbox: list[Job] = []

    @property
    def has_jobs(self) -> bool:
        """True where jobs are ready to be taken."""
        return bool(self._outbox)

    def take_jobs(self) -> Sequence[Job]:
        """Return the jobs dispatched since the last call."""
        jobs, self._outbox = self._outbox, []
        return jobs

    def put(self, jobs: Sequence[Job]) -> None:
        """Add jobs, to be taken with the trials' own, that no trial waits for."""
        self._outbox += jobs

    def job_succeeded(self, job: Job) -> None:
        self._state.recorded.add(job.key)
        self._state.on_disk.add(job.key)
        for live in self._waiting(job):
            live.pending.discard(job.key)

    def job_failed(self, job: Job) -> None:
        self._failed_keys.add(job.key)
        for live in self._waiting(job):
            live.outcome = _failed_by(job)

    def _waiting(self, job: Job) -> list[LiveTrial]:
        """Return the trials that wait for the job, without those already told because another of their jobs failed."""
        live = self._state.live
        return [live[number] for number in self._waiting_for.pop(job.key, ()) if number in live]

    def advance(self) -> None:
        """Advance every trial as far as its results allow.

        Raises:
            SQLAlchemyError, StorageInternalError: the database fails; it may be called again.
            LeaseLost: another driver has the sweep.
        """
        for number, live in list(self._state.live.items()):
            while self._advance_trial(number, live):
                pass

    def _advance_trial(self, number: int, live: LiveTrial) -> bool:
        """Advance the trial by one step; return whether there may be another."""
        if live.outcome is not None:
            self._conclude(number, live)
            return False
        if live.stage:
            self._dispatch_jobs(number, live)
            return True
        if live.pending or (step := live.plan.advance()) is None:
            return False
        if isinstance(step, Complete | Failed | Pruned):
            live.outcome = step
        else:
            live.stage = step
        return True

    def _dispatch_jobs(self, number: int, live: LiveTrial) -> None:
        """Dispatch the jobs of the trial's stage that have no result yet."""
        if failed := [job for job in live.stage if job.key in self._failed_keys]:
            live.outcome = _failed_by(failed[0])
            return
        jobs = self._name_jobs(live)
        plan = make_plan(jobs, recorded=self._state.recorded, finished=self._state.on_disk)
        self._state.record_found(plan)
        live.jobs, live.stage = jobs, ()
        live.pending = {job.key for job in plan.to_run}
        for key in live.pending:
            self._waiting_for[key].add(number)
        self._outbox += plan.to_run

    def _name_jobs(self, live: LiveTrial) -> list[Job]:
        """Write the jobs of the trial's stage to the store, then name all of its jobs in its attributes; return these jobs."""
        write.add_jobs(self._state.store, self._state.space.name, live.stage, lease=self._state.recorder.lease)
        jobs = deduplicate([*live.jobs, *live.stage])
        if new := [model for model in evaluated(live.stage) if model not in evaluated(live.jobs)]:
            live.trial.set_user_attr(MODEL_KEY, new[0])
        live.trial.set_user_attr(JOB_KEYS, [job.key for job in jobs])
        return jobs

    def _conclude(self, number: int, live: LiveTrial) -> None:
        """Tell the study the outcome of a trial and of its duplicates."""
        assert live.outcome is not None  # noqa: S101 (`_advance_trial` has looked)
        state = self._state
        state.confirm_lease()
        failed = isinstance(live.outcome, Failed) and live.outcome.by_job
        kind = {KIND: FAILED if live.counts else FAILED_PARENT} if failed else {}
        self._record_looks(live)
        tell(state.study, live.trial, live.outcome, **kind)
        while live.duplicates:
            tell_duplicate(state.study, live.duplicates[-1], state.finished_trial(number))
            live.duplicates.pop()
        del state.live[number]
        state.progress.add_outcome(live.outcome, counts=live.counts)

    def _record_looks(self, live: LiveTrial) -> None:
        """Record that a trial without a validation split is chosen or not by its results on test."""
        if (datasets := tested_datasets(live.jobs)) and isinstance(live.outcome, Complete | Pruned):
            with self._state.store.writing() as connection:
                record_test_looks(connection, self._state.space.name, datasets, reason="search")


def _failed_by(job: Job) -> Failed:
    return Failed(f"{job.stage} job {job.key} failed; robustsweep status --failed says why", by_job=True)
