"""Launch of a search: its jobs are created while it runs, trial by trial."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from orchestrator.driver.lease_wait import this_driver
from orchestrator.driver.recorder import Recorder
from orchestrator.launching.sweep_work import SweepWork
from orchestrator.paths import Paths
from orchestrator.planning.prelaunch_checks import check_sizes
from orchestrator.scheduling.job_queue import JobQueue
from orchestrator.search.possible_jobs import possible_jobs
from orchestrator.store import Store
from orchestrator.store.leases.leases import Holder, Lease
from orchestrator.store.writing.driver_lease import plan_again, take_sweep
from orchestrator.store.writing.record import record_search
from search_spaces import LoadedSpace
from workers.spec.job import Job


class SearchLaunch:
    """`SweepKind` of a space with method optuna."""

    def __init__(self, loaded: LoadedSpace, paths: Paths, *, max_failures: int) -> None:
        self._loaded, self._paths, self._max_failures = loaded, paths, max_failures

    def prepare(self, store: Store) -> Sequence[Job]:  # noqa: ARG002 (no trial is asked for yet)
        """Return the jobs of a few configurations."""
        jobs = possible_jobs(self._loaded.space)
        check_sizes(jobs)
        return jobs

    def take_lease(self, store: Store, seen: Holder | None) -> Lease:
        loaded = self._loaded
        return take_sweep(store, name=loaded.name, space_text=loaded.recorded_text, driver=this_driver(), seen=seen)

    @contextmanager
    def open_work(self, store: Store, recorder: Recorder) -> Iterator[SweepWork]:
        from orchestrator.search.open_search import open_search  # with Optuna, which grids do not need

        loaded, lease = self._loaded, recorder.lease
        assert lease is not None  # noqa: S101 (a launch has taken it)
        with recorder, open_search(store, loaded.space, recorder=recorder, artifacts=self._paths.artifacts) as search:
            keys = search.state.trial_index.job_keys()
            record_search(store, name=loaded.name, space_text=loaded.recorded_text, keys=keys, lease=lease)
            plan_again(store, lease)
            summary = search.summary()
            yield SweepWork(
                needed=not search.nothing_to_do,
                summary=summary,
                nothing_to_do=f"nothing to do: {summary}",
                queue=JobQueue([], max_failures=self._max_failures),
                source=search,
                conclusion=search.conclusion,
            )
