"""Kinds of sweeps, grids and searches, as the launch uses them: the steps in which they differ."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol

from orchestrator.driver.lease_wait import this_driver
from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.critical_path import CriticalPathQueue
from orchestrator.driver.scheduling.job_queue import JobQueue, JobSource
from orchestrator.launching.race_source import RaceSource
from orchestrator.paths import Paths
from orchestrator.planning.expand import expand_space
from orchestrator.planning.job_cost import effort
from orchestrator.planning.plan import STAGES, Plan, damaged_jobs, finished_jobs, make_plan
from orchestrator.planning.prelaunch_checks import check_sizes
from orchestrator.planning.racing.raced_attacks import raced_attacks
from orchestrator.planning.racing.races import Races
from orchestrator.planning.training_chain import with_resume_points
from orchestrator.search.possible_jobs import possible_jobs
from orchestrator.store import Store, finished_keys, launch_sweep
from orchestrator.store.leases.leases import Lease, LeaseHolder
from orchestrator.store.reading.study_trials import finished_rungs, flags_of
from orchestrator.store.writing.driver_lease import plan_again, take_sweep
from orchestrator.store.writing.record import record_search
from orchestrator.terminal import hints
from search_spaces import HUB, LoadedSpace
from workers.errors import UserError
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec

_DIGITS = 12


def _no_conclusion() -> None:
    """Add nothing to the report on the jobs."""


@dataclass(frozen=True, kw_only=True)
class SweepWork:
    """Work of one launch.

    `needed` is False where there is none: then `nothing_to_do` is the line to print, else `summary` before the work and what
    `conclusion` returns after it. `queue` holds the `jobs` to run, `source` adds others meanwhile, and `known` are all jobs of the sweep.
    """

    needed: bool
    summary: str
    nothing_to_do: str
    queue: JobQueue
    jobs: tuple[Job, ...] = ()
    known: tuple[Job, ...] = ()
    source: JobSource | None = None
    conclusion: Callable[[], str | None] = _no_conclusion


class SweepKind(Protocol):
    """Sweep to launch; `searches` where its models are chosen meanwhile. Methods are called in this order, the first two again if the
    lease was taken meanwhile."""

    searches: ClassVar[bool]

    def prepare(self, store: Store) -> Sequence[Job]:
        """Plan; return the jobs whose data must be in place before anything runs.

        Raises:
            UserError: the space asks for what cannot be.
        """

    def take_lease(self, store: Store, seen: LeaseHolder | None) -> Lease:
        """Take the sweep, if no other driver has taken it since `seen`.

        Raises:
            LeaseTaken: one has.
        """

    def open_work(self, store: Store, recorder: Recorder, say: Callable[[str], None]) -> AbstractContextManager[SweepWork]:
        """Enter the recorder, and yield the work inside it; `say` shows a line to the user."""


class GridLaunch:
    """`SweepKind` of a space without a search."""

    searches: ClassVar = False

    _plan: Plan  # made by `prepare`
    _damaged: frozenset[str]
    _races: Races
    _recorded: frozenset[str]

    def __init__(self, loaded: LoadedSpace, paths: Paths, *, max_failures: int, max_jobs: int, only: Sequence[str] = ()) -> None:
        """Resolve the space into jobs, of which those in `only` are run, by the first digits of their keys (none: all).

        Raises:
            UserError: there are more than `max_jobs`, one asks for more examples than there are, or none has the digits.
        """
        self._loaded, self._paths, self._max_failures = loaded, paths, max_failures
        self._jobs = expand_space(loaded.space, max_jobs=max_jobs)
        self._raced = [] if only else raced_attacks(loaded.space)
        self._only = tuple(_one_of(self._jobs, digits) for digits in only)
        check_sizes(self._jobs)

    def prepare(self, store: Store) -> Sequence[Job]:
        recorded = finished_keys(store)
        finished = finished_jobs(self._paths.artifacts, self._jobs, recorded=recorded)
        self._damaged = damaged_jobs(self._paths.artifacts, self._jobs, recorded=recorded, finished=finished)
        plan = make_plan(self._jobs, recorded=recorded, finished=finished, damaged=self._damaged)
        self._plan = plan.only(self._only) if self._only else plan
        self._races, self._recorded = Races(self._raced), recorded
        self._races.settle(partial(flags_of, store))
        return [*self._plan.using_data, *([] if self._races.over else (job for job in self._jobs if isinstance(job.spec, TrainSpec)))]

    def take_lease(self, store: Store, seen: LeaseHolder | None) -> Lease:
        loaded, jobs = self._loaded, [*self._jobs, *self._races.jobs]
        return launch_sweep(store, name=loaded.name, space_text=loaded.recorded_text, jobs=jobs, driver=this_driver(), seen=seen)

    @contextmanager
    def open_work(self, store: Store, recorder: Recorder, say: Callable[[str], None]) -> Iterator[SweepWork]:
        plan = self._plan
        with recorder:
            for key in self._damaged:
                self._paths.artifacts.discard(key)
            recorder.record_found([job for job in plan.jobs if job.key in plan.unrecorded], say=say)
            to_run = with_resume_points(plan.to_run, finished_rungs(store), self._paths.artifacts)
            queue = CriticalPathQueue(to_run, max_failures=self._max_failures, effort=effort)
            known = [*plan.jobs, *self._races.jobs]
            yield SweepWork(
                needed=bool(to_run) or not self._races.over,
                summary=_only_summary(plan) if self._only else plan_summary(plan) + self._said_of_races,
                nothing_to_do="nothing to do, " + ("what --only names is done" if self._only else f"all {len(known)} jobs are done"),
                queue=queue,
                jobs=to_run,
                known=plan.jobs,
                **self._racing(store, recorder),
            )

    @property
    def _said_of_races(self) -> str:
        return f"; {self._races.at_most()}" if self._raced else ""

    def _racing(self, store: Store, recorder: Recorder) -> dict[str, Any]:
        """The source of the races' jobs, where there are any."""
        if not self._raced:
            return {}
        stored = partial(flags_of, store)
        source = RaceSource(self._races, recorder, self._paths.artifacts, known=self._jobs, recorded=self._recorded, stored=stored)
        return {"source": source, "conclusion": source.conclusion}


def _one_of(jobs: Sequence[Job], digits: str) -> str:
    """The key of the job whose key begins with these digits.

    Raises:
        UserError: there is none, or there are several.
    """
    found = [job.key for job in jobs if job.key.startswith(digits.lower())]
    if len(found) != 1 or not digits:
        several = (
            f"begins {len(found)} keys of this space's jobs; give more digits"
            if digits and found
            else "no job of this space has such a key"
        )
        raise UserError(f"--only {digits or repr(digits)}: {several}; `{hints.command('plan', 'SPACE', more=['--jobs'])}` lists them")
    return found[0]


def _only_summary(plan: Plan) -> str:
    """Describe in one line what is run where only some jobs are."""
    named = ", ".join(f"{job.stage} {job.key[:_DIGITS]}" for job in plan.to_run)
    return f"{len(plan.to_run)} of {len(plan.jobs)} jobs to run, by --only: {named}"


def plan_summary(plan: Plan) -> str:
    """Describe a plan in one line."""
    left = {stage: plan.total(stage) - plan.done(stage) for stage in STAGES}
    to_run = ", ".join(f"{stage} {number}" for stage, number in left.items() if number)
    again = f"; {len(plan.recreated)} more again, since their files are gone or damaged" if plan.recreated else ""
    return f"{len(plan.jobs)} jobs, {len(plan.jobs) - len(plan.pending)} done, {len(plan.pending)} to run ({to_run}){again}"


class SearchLaunch:
    """`SweepKind` of a space with method optuna."""

    searches: ClassVar = True

    def __init__(self, loaded: LoadedSpace, paths: Paths, *, max_failures: int, max_jobs: int, only: Sequence[str] = ()) -> None:
        if only:
            raise UserError(f"--only {only[0]}: only for grids; a search chooses its jobs itself")
        self._loaded, self._paths, self._max_failures, self._max_jobs = loaded, paths, max_failures, max_jobs

    def prepare(self, store: Store) -> Sequence[Job]:  # noqa: ARG002 (no trial is asked for yet)
        """Return the jobs of a few configurations."""
        section = self._loaded.space.search
        if section is not None and section.sampler.startswith(HUB):
            from orchestrator.search.samplers import sampler_class  # with Optuna, which grids do not need

            sampler_class(section.sampler)
        jobs = possible_jobs(self._loaded.space, max_jobs=self._max_jobs)
        check_sizes(jobs)
        return jobs

    def take_lease(self, store: Store, seen: LeaseHolder | None) -> Lease:
        loaded = self._loaded
        return take_sweep(store, name=loaded.name, space_text=loaded.recorded_text, driver=this_driver(), seen=seen)

    @contextmanager
    def open_work(self, store: Store, recorder: Recorder, say: Callable[[str], None]) -> Iterator[SweepWork]:  # noqa: ARG002
        from orchestrator.search.open_search import open_search  # with Optuna, which grids do not need

        loaded, lease = self._loaded, recorder.lease
        assert lease is not None  # noqa: S101 (a launch has taken it)
        with recorder, open_search(store, loaded.space, recorder=recorder, artifacts=self._paths.artifacts) as search:
            record_search(store, name=loaded.name, space_text=loaded.recorded_text, keys=search.job_keys, lease=lease)
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
