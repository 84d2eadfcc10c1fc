"""Measurement of a search's winners on the test split, once nothing more is to be chosen."""

from collections.abc import Sequence

from sqlalchemy import select

from orchestrator.planning.expand import deduplicate
from orchestrator.planning.plan import make_plan
from orchestrator.planning.racing.raced_attacks import jobs_to_the_end
from orchestrator.search.samplers import ParameterValues, values_of
from orchestrator.search.search_state import SearchState
from orchestrator.search.trial_index import MODEL_KEY, tested_datasets
from orchestrator.store.schema.result_tables import VerdictRecord
from orchestrator.store.writing import record as write
from orchestrator.store.writing.record import record_test_looks
from workers.errors import UserError
from workers.spec.job import Job


class Winners:
    """Trials of the front that were chosen on validation, each set of values once, and their measurements on test.

    A trial that was measured on test itself, since it has no validation split, is measured no further; nor is one whose verdict is unsound,
    which `best` never shows.
    """

    def __init__(self, state: SearchState) -> None:
        self._state = state
        self._dispatched = False

    @property
    def left(self) -> bool:
        """True where a measurement has no result yet."""
        return bool(make_plan(self.jobs(), recorded=self._state.recorded, finished=self._state.on_disk).pending)

    def dispatch(self) -> Sequence[Job]:
        """Write the jobs to the store, and return those that are to be run; none when it is called again.

        Raises:
            LeaseLost: another driver has the sweep.
        """
        if self._dispatched:
            return ()
        state, jobs = self._state, self.jobs()
        plan = make_plan(jobs, recorded=state.recorded, finished=state.on_disk)
        if plan.pending or plan.unrecorded:
            write.add_jobs(state.store, state.space.name, jobs, lease=state.recorder.lease)
            state.record_found(plan)
            with state.store.writing() as connection:
                record_test_looks(connection, state.space.name, tested_datasets(jobs), reason="winner")
        self._dispatched = True
        return plan.to_run

    def jobs(self) -> list[Job]:
        """Return all jobs of the measurements, those that train the models among them."""
        found: list[Job] = []
        for values in self._values():
            try:
                grid = self._state.space.at(values)
                chosen, tested = (jobs_to_the_end(grid.measured_on(split)) for split in ("validation", "test"))
            except (ValueError, UserError):  # the space has other ranges now
                continue
            if {job.key for job in chosen} != {job.key for job in tested}:
                found += tested
        return deduplicate(found)

    def _values(self) -> list[ParameterValues]:
        """Return the values of the trials on the front; of several with the same outcome those of the first."""
        state = self._state
        unsound = self._unsound()
        front = {
            tuple(trial.values): values_of(trial.params, state.space.parameters)
            for trial in sorted(state.study.best_trials, key=lambda trial: -trial.number)
            if trial.user_attrs.get(MODEL_KEY) not in unsound
        }
        return list(front.values())

    def _unsound(self) -> frozenset[str]:
        with self._state.store.reading() as connection:
            found = connection.execute(select(VerdictRecord.model_key).where(VerdictRecord.verdict == "unsound")).scalars()
            return frozenset(found)
