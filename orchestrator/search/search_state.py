"""State that the parts of a search share."""

from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from orchestrator.driver.recorder import Recorder
from orchestrator.planning.plan import Plan
from orchestrator.search.search_progress import SearchProgress
from orchestrator.search.trial_index import TrialIndex
from orchestrator.search.trials import LiveTrial
from orchestrator.store import Store, finished_keys
from orchestrator.store.leases.leases import confirm
from search_spaces import Space
from workers.artifacts.artifacts import Artifacts


class SearchState:
    """Study, space and store of a search, what is known of its trials, and those under way.

    `recorded` and `on_disk` are the keys of jobs with a result in the database and in the artifact store.
    """

    def __init__(self, study: Study, space: Space, store: Store, *, storage: BaseStorage, recorder: Recorder, artifacts: Artifacts) -> None:
        """Read the study in `storage`; nothing is written."""
        assert space.search is not None  # noqa: S101 (only a space with method optuna is searched)
        self.study, self.space, self.section, self.store = study, space, space.search, store
        self.storage, self.recorder = storage, recorder
        self.recorded, self.on_disk = set(finished_keys(store)), set(artifacts.finished())
        self.trial_index = TrialIndex(study)
        self.progress = SearchProgress(study, self.section, self.trial_index)
        self.live: dict[int, LiveTrial] = {}
        self._lease_confirmed = False

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the study's trials in these states."""
        return self.study.get_trials(deepcopy=False, states=states)

    def finished_trial(self, number: int) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[number]

    def record_found(self, plan: Plan) -> None:
        """Have the results of a plan's jobs written to the database that are on disk alone."""
        for job in plan.jobs:
            if job.key in plan.unrecorded:
                self.recorder.finished(job)
                self.recorded.add(job.key)

    @property
    def counted_running(self) -> int:
        """Number of trials under way that count towards `n_trials`."""
        return sum(live.counts for live in list(self.live.values()))

    def expire_lease_check(self) -> None:
        """Have the lease checked again before the next write."""
        self._lease_confirmed = False

    def confirm_lease(self) -> None:
        """Check the lease before Optuna writes, since its writes are not fenced: once in each call of `Search.more`.

        Raises:
            LeaseLost: another driver has taken it.
        """
        if not self._lease_confirmed:
            with self.store.reading() as connection:
                confirm(connection, self.recorder.lease)
            self._lease_confirmed = True
