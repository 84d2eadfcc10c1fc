"""`robustsweep launch`: plan, run the jobs without a result, record their results, and report the outcome."""

import shlex
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Literal, NoReturn

from rich.console import Console

from orchestrator.console import clock, say
from orchestrator.driver.concurrent_sweeps import ConcurrentSweeps
from orchestrator.driver.lease_wait import this_driver, wait_for_lease
from orchestrator.driver.progress import show_progress
from orchestrator.driver.recorder import Recorder
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import Executor, Folders, Resources
from orchestrator.executors.inline import InlineExecutor
from orchestrator.launching.data_download import download_data, download_folder
from orchestrator.passwords import without_secrets
from orchestrator.paths import DEFAULT_HOME, Paths
from orchestrator.planning.effort import effort
from orchestrator.planning.expand import expand_space
from orchestrator.planning.partial_training import with_resume_points
from orchestrator.planning.plan import STAGES, Plan, damaged_jobs, make_plan
from orchestrator.planning.prelaunch_checks import check_data, check_home, check_sizes
from orchestrator.scheduling.critical_path import CriticalPathQueue
from orchestrator.scheduling.job_queue import JobQueue
from orchestrator.store import Store, finished_keys, launch_sweep, open_store
from orchestrator.store.connection.urls import parse_url
from orchestrator.store.connection.urls import shown as shown_url
from orchestrator.store.leases.leases import Holder, Lease, LeaseLost, LeaseTaken
from orchestrator.store.reading.finished_rungs import finished_rungs
from orchestrator.store.reading.timings import recent_footprints
from orchestrator.store.writing import record as write
from orchestrator.store.writing.driver_lease import plan_again, take_sweep
from search_spaces import LoadedSpace, load_space
from workers.errors import UserError
from workers.spec.job import Job

ExecutorName = Literal["ray", "inline"]
MakeExecutor = Callable[[Folders, Resources], Executor]
EXIT_INCOMPLETE, EXIT_INTERRUPTED = 1, 130


@dataclass(frozen=True)
class LaunchOptions:
    """Options of one launch. `executor` is the name of a built-in executor, or a function that makes one."""

    space: str
    paths: Paths
    overrides: Sequence[str] = ()
    executor: ExecutorName | MakeExecutor = "ray"
    address: str | None = None
    resources: Resources = field(default_factory=Resources)
    max_failures: int = 2
    wait_for_nodes: float = 0.0  # minutes
    download: bool = False

    def command(self, verb: str, subject: str) -> str:
        """Return the `robustsweep` command for the same places, to paste into a shell; a password in the store's URL is hidden."""
        words = ["robustsweep", verb, subject]
        default = Paths.resolve(home=DEFAULT_HOME, store=None)
        if self.paths.home != default.home:
            words += ["--home", str(self.paths.home)]
        if self.paths.store_url != Paths.resolve(home=self.paths.home, store=None).store_url:
            words += ["--store", shown_url(parse_url(self.paths.store_url))]
        if self.paths.artifacts_url != Paths.resolve(home=self.paths.home, store=None).artifacts_url:
            words += ["--artifacts", self.paths.artifacts_url]
        if verb == "launch":
            words += [word for override in self.overrides for word in ("--set", override)]
            words += ["--data", str(self.paths.data_root)] if self.paths.data_root else []
        return shlex.join(words)


def launch(options: LaunchOptions, console: Console) -> int:
    """Run the sweep to its end; return the exit code: 0 all done, 1 something failed, 130 interrupted.

    Raises:
        UserError: nothing was started, for a reason that the user can fix.
    """
    if options.max_failures < 0:
        raise UserError(f"--max-failures {options.max_failures}: must be at least 0")
    if options.executor == "ray" and options.paths.artifacts_url.startswith("memory://"):
        raise UserError("--artifacts memory://: not visible to other processes; only with --executor inline")
    if not 0 <= options.wait_for_nodes < float("inf"):
        raise UserError(f"--wait-for-nodes {options.wait_for_nodes:g}: must be at least 0, in minutes")
    check_home(options.paths.home)
    if options.download:
        download_folder(options.paths.data_root)
    loaded = load_space(options.space, options.overrides)
    jobs = expand_space(loaded.space)
    check_sizes(jobs)
    with open_store(options.paths.store_url, upgrade=True) as store, store.one_line():
        if loaded.space.method == "optuna":
            return _search(options, loaded, store, console)
        plan, lease = _take(options, loaded, jobs, store, console)
        return _carry_out(options, plan, store, lease, console)


def _take(options: LaunchOptions, loaded: LoadedSpace, jobs: Sequence[Job], store: Store, console: Console) -> tuple[Plan, Lease]:
    """Plan, then take the sweep's lease; repeat if another driver has held it meanwhile.

    Raises:
        UserError: another driver has the lease, or something is missing.
    """
    artifacts = options.paths.artifacts
    while True:
        seen = wait_for_lease(store, loaded.name, console)
        recorded, finished = finished_keys(store), artifacts.finished()
        lost = damaged_jobs(artifacts, jobs, recorded=recorded, finished=finished)
        plan = make_plan(jobs, recorded=recorded, finished=finished, damaged=lost)
        _provide_data(options, plan.to_run, console)
        with suppress(LeaseTaken):
            lease = launch_sweep(store, name=loaded.name, space_text=loaded.recorded_text, jobs=jobs, driver=this_driver(), seen=seen)
            for key in lost:
                artifacts.discard(key)
            return plan, lease


def _provide_data(options: LaunchOptions, jobs: Sequence[Job], console: Console) -> None:
    """Check the data that jobs need; download them first where that is asked for.

    Raises:
        DataError: they are not in place.
    """
    root = options.paths.data_root
    if options.download:
        download_data(jobs, download_folder(root), console)
    check_data(jobs, root)
    check_sizes(jobs, root)


def _carry_out(options: LaunchOptions, plan: Plan, store: Store, lease: Lease, console: Console) -> int:
    name = lease.sweep
    recorder = Recorder(store, sweep=name, artifacts=options.paths.artifacts, lease=lease)
    for job in plan.jobs:
        if job.key in plan.unrecorded:
            recorder.finished(job)
            recorder.tidy(job)
    to_run = with_resume_points(plan.to_run, finished_rungs(store), options.paths.artifacts)
    queue = CriticalPathQueue(to_run, max_failures=options.max_failures, effort=effort)
    other_sweeps = ConcurrentSweeps(store, sweep=name)
    sweep = SweepRun(queue, recorder, to_run, known=plan.jobs, elsewhere=other_sweeps.running)
    interrupted = False
    with recorder:
        if to_run:
            say(console, f"sweep {name}: {plan_summary(plan)}")
            with other_sweeps:
                interrupted = _drive(sweep, options, name, recorder, console, store)
    if to_run or recorder.lost is not None:
        return _ended(sweep, options, name, recorder, console, interrupted=interrupted)
    _say_unrecorded(name, recorder, console)
    say(console, f"sweep {name}: nothing to do, all {len(plan.jobs)} jobs are done; {options.command('results', name)}")
    return EXIT_INCOMPLETE if recorder.unrecorded else 0


def _search(options: LaunchOptions, loaded: LoadedSpace, store: Store, console: Console) -> int:
    """Run a search, whose jobs are created while it runs."""
    from orchestrator.search.open_search import open_search
    from orchestrator.search.possible_jobs import possible_jobs

    name, artifacts = loaded.name, options.paths.artifacts
    seen = wait_for_lease(store, name, console)
    foreseen = possible_jobs(loaded.space)
    check_sizes(foreseen)
    _provide_data(options, foreseen, console)
    lease = _take_search(loaded, seen, store, console)
    sweep, interrupted = None, False
    recorder, other_sweeps = Recorder(store, sweep=name, artifacts=artifacts, lease=lease), ConcurrentSweeps(store, sweep=name)
    with recorder, open_search(store, loaded.space, recorder=recorder, artifacts=artifacts) as search:
        write.record_search(store, name=name, space_text=loaded.recorded_text, keys=search.trial_index.job_keys(), lease=lease)
        plan_again(store, lease)
        words = search.summary()
        if not search.nothing_to_do:
            say(console, f"sweep {name}: {words}")
            sweep = SweepRun(JobQueue([], max_failures=options.max_failures), recorder, (), source=search, elsewhere=other_sweeps.running)
            with other_sweeps:
                interrupted = _drive(sweep, options, name, recorder, console, store)
            say(console, f"sweep {name}: {search.conclusion()}")
    if sweep is None:
        say(console, f"sweep {name}: nothing to do: {words}; {options.command('results', name)}")
        return 0
    return _ended(sweep, options, name, recorder, console, interrupted=interrupted)


def _take_search(loaded: LoadedSpace, seen: Holder | None, store: Store, console: Console) -> Lease:
    while True:
        with suppress(LeaseTaken):
            return take_sweep(store, name=loaded.name, space_text=loaded.recorded_text, driver=this_driver(), seen=seen)
        seen = wait_for_lease(store, loaded.name, console)


def _ended(sweep: SweepRun, options: LaunchOptions, name: str, recorder: Recorder, console: Console, *, interrupted: bool) -> int:
    if recorder.lost is not None:
        say(console, f"{recorder.lost}; stopped here, and nothing more is written")
        return EXIT_INCOMPLETE
    _say_unrecorded(name, recorder, console)
    return _conclude(sweep, options, name, recorder, console, interrupted=interrupted)


def _drive(sweep: SweepRun, options: LaunchOptions, name: str, recorder: Recorder, console: Console, store: Store) -> bool:
    """Run the executor; return whether it was interrupted."""
    try:
        with without_secrets(), show_progress(sweep, name=name, console=console), _stopped_by_signals(sweep, recorder):
            _executor(options, console, store).execute(sweep)
    except (KeyboardInterrupt, LeaseLost):
        return True
    finally:
        sweep.harvest()
    return sweep.interrupted and not sweep.drained


def _executor(options: LaunchOptions, console: Console, store: Store) -> Executor:
    folders = Folders(options.paths.artifacts.url, options.paths.data_root)
    if options.executor != "ray":
        make: MakeExecutor = InlineExecutor if options.executor == "inline" else options.executor
        return make(folders, options.resources)
    from orchestrator.executors.ray_tune.executor import RayExecutor

    return RayExecutor(
        folders,
        options.resources,
        address=options.address,
        wait_minutes=options.wait_for_nodes,
        say=partial(say, console),
        footprints=partial(recent_footprints, store),
    )


@contextmanager
def _stopped_by_signals(sweep: SweepRun, recorder: Recorder) -> Iterator[None]:
    """End the sweep cleanly on Ctrl-C, SIGTERM and the loss of the lease, wherever in Ray they arrive."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
        sweep.interrupt()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    driver = threading.get_ident()
    try:
        recorder.on_loss(lambda: signal.pthread_kill(driver, signal.SIGINT))
        try:
            yield
        finally:
            recorder.on_loss(None)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_unrecorded(name: str, recorder: Recorder, console: Console) -> None:
    if recorder.unrecorded:
        say(
            console,
            f"sweep {name}: {recorder.unrecorded} results are on disk but not in the database ({recorder.last_error}); "
            f"the next launch records them",
        )


def _conclude(sweep: SweepRun, options: LaunchOptions, name: str, recorder: Recorder, console: Console, *, interrupted: bool) -> int:
    queue = sweep.queue
    done, failed, blocked = queue.total("done"), queue.total("failed"), queue.total("blocked")
    total = sum(sum(counts.values()) for counts in queue.counts().values())
    if interrupted:
        say(console, f"sweep {name}: stopped after {done} of {total} jobs; continue with: {options.command('launch', options.space)}")
        return EXIT_INTERRUPTED
    if failed or blocked:
        reasons = f"{options.command('status', name)} --failed"
        say(console, f"sweep {name}: {done} of {total} jobs done, {failed} failed, {blocked} blocked; see: {reasons}")
        return EXIT_INCOMPLETE
    say(console, f"sweep {name}: all {total} jobs done in {clock(sweep.elapsed)}; see: {options.command('results', name)}")
    return EXIT_INCOMPLETE if recorder.unrecorded else 0


def plan_summary(plan: Plan) -> str:
    """Describe a plan in one line."""
    left = {stage: plan.total(stage) - plan.done(stage) for stage in STAGES}
    to_run = ", ".join(f"{stage} {number}" for stage, number in left.items() if number)
    again = f"; {len(plan.recreated)} more again, since their files are gone or damaged" if plan.recreated else ""
    return f"{len(plan.jobs)} jobs, {len(plan.jobs) - len(plan.pending)} done, {len(plan.pending)} to run ({to_run}){again}"
