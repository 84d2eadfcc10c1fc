"""Launch of a grid: all of its jobs are known before the first one runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from orchestrator.driver.lease_wait import this_driver
from orchestrator.driver.recorder import Recorder
from orchestrator.launching.sweep_work import SweepWork
from orchestrator.paths import Paths
from orchestrator.planning.effort import effort
from orchestrator.planning.expand import expand_space
from orchestrator.planning.partial_training import with_resume_points
from orchestrator.planning.plan import STAGES, Plan, damaged_jobs, make_plan
from orchestrator.planning.prelaunch_checks import check_sizes
from orchestrator.scheduling.critical_path import CriticalPathQueue
from orchestrator.store import Store, finished_keys, launch_sweep
from orchestrator.store.leases.leases import Holder, Lease
from orchestrator.store.reading.finished_rungs import finished_rungs
from search_spaces import LoadedSpace
from workers.spec.job import Job


class GridLaunch:
    """`SweepKind` of a space without a search."""

    _plan: Plan  # made by `prepare`
    _damaged: frozenset[str]

    def __init__(self, loaded: LoadedSpace, paths: Paths, *, max_failures: int) -> None:
        """Resolve the space into jobs.

        Raises:
            UserError: one asks for more examples than there are.
        """
        self._loaded, self._paths, self._max_failures = loaded, paths, max_failures
        self._jobs = expand_space(loaded.space)
        check_sizes(self._jobs)

    def prepare(self, store: Store) -> Sequence[Job]:
        recorded, finished = finished_keys(store), self._paths.artifacts.finished()
        self._damaged = damaged_jobs(self._paths.artifacts, self._jobs, recorded=recorded, finished=finished)
        self._plan = make_plan(self._jobs, recorded=recorded, finished=finished, damaged=self._damaged)
        return self._plan.to_run

    def take_lease(self, store: Store, seen: Holder | None) -> Lease:
        loaded = self._loaded
        lease = launch_sweep(store, name=loaded.name, space_text=loaded.recorded_text, jobs=self._jobs, driver=this_driver(), seen=seen)
        for key in self._damaged:
            self._paths.artifacts.discard(key)
        return lease

    @contextmanager
    def open_work(self, store: Store, recorder: Recorder) -> Iterator[SweepWork]:
        plan = self._plan
        self._record_found_results(recorder)
        to_run = with_resume_points(plan.to_run, finished_rungs(store), self._paths.artifacts)
        queue = CriticalPathQueue(to_run, max_failures=self._max_failures, effort=effort)
        with recorder:
            yield SweepWork(
                needed=bool(to_run),
                summary=plan_summary(plan),
                nothing_to_do=f"nothing to do, all {len(plan.jobs)} jobs are done",
                queue=queue,
                jobs=to_run,
                known=plan.jobs,
            )

    def _record_found_results(self, recorder: Recorder) -> None:
        """Record results on disk that the database does not have: at once, since the recorder's thread has not started."""
        for job in self._plan.jobs:
            if job.key in self._plan.unrecorded:
                recorder.finished(job)
                recorder.tidy(job)


def plan_summary(plan: Plan) -> str:
    """Describe a plan in one line."""
    left = {stage: plan.total(stage) - plan.done(stage) for stage in STAGES}
    to_run = ", ".join(f"{stage} {number}" for stage, number in left.items() if number)
    again = f"; {len(plan.recreated)} more again, since their files are gone or damaged" if plan.recreated else ""
    return f"{len(plan.jobs)} jobs, {len(plan.jobs) - len(plan.pending)} done, {len(plan.pending)} to run ({to_run}){again}"
