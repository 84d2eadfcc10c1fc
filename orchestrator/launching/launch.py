"""`robustsweep launch`: plan, run the jobs without a result, record their results, and report the outcome."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

from rich.console import Console

from orchestrator.driver.job_supply import ConcurrentSweeps
from orchestrator.driver.lease_wait import wait_for_lease
from orchestrator.driver.mirrors import SweepMirrors, parse_target
from orchestrator.driver.recorder import Recorder
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import Executor, ExecutorName, Folders, Resources, choose_executor
from orchestrator.executors.inline import InlineExecutor
from orchestrator.executors.process_executor import ProcessesExecutor
from orchestrator.launching.data_download import download_data, download_folder, download_keyed_data
from orchestrator.launching.drive import Stopped, StopSignals, drive
from orchestrator.launching.notification import notify
from orchestrator.launching.sweep_work import GridLaunch, SearchLaunch, SweepKind, SweepWork
from orchestrator.paths import Paths
from orchestrator.planning import MAX_JOBS
from orchestrator.planning.adopted import keep_weights, load_sweep
from orchestrator.planning.input_digests import digests_of_files
from orchestrator.planning.prelaunch_checks import check_effects, check_home, check_sizes, verify_data
from orchestrator.store import Store, open_store
from orchestrator.store.leases.leases import Lease, LeaseTaken
from orchestrator.store.maintenance.owners import mark_owner
from orchestrator.store.reading.timings import recent_footprints
from orchestrator.store.writing.driver_lease import record_command
from orchestrator.terminal import hints
from orchestrator.terminal.console import clock, say
from search_spaces import LoadedSpace
from workers.errors import StorageError, UserError
from workers.spec.job import Job

MakeExecutor = Callable[[Folders, Resources], Executor]
EXIT_INCOMPLETE = 1
_OF_A_SEARCH = {"best": "the best models, and what each objective came to", "study": "what mattered, as one HTML file"}
_NEXT = {
    "verdicts": "which figures can be believed, and why not",
    "report": "everything as one HTML file",
    "dashboard": "everything in a browser, live",
}


@dataclass(frozen=True)
class LaunchOptions:
    """Options of one launch. `executor` is the name of a built-in executor (`auto`: the one that fits), or a function that makes one."""

    space: str
    paths: Paths
    overrides: Sequence[str] = ()
    executor: ExecutorName | MakeExecutor = "auto"
    address: str | None = None
    resources: Resources = field(default_factory=Resources)
    max_failures: int = 2
    max_jobs: int = MAX_JOBS
    wait_for_nodes: float = 0.0  # minutes
    download: bool = False
    only: Sequence[str] = ()
    notify: str | None = None
    mirror: Sequence[str] = ()
    plugins: Sequence[str] = ()  # those that are not the space's own, for the commands to repeat
    says_next: bool = True  # at the end, which commands look at the sweep or continue it

    def check(self) -> None:
        """Check what can be known to be wrong without reading anything.

        Raises:
            UserError: an option is out of its range, or does not go with another one.
        """
        if self.max_failures < 0:
            raise UserError(f"--max-failures {self.max_failures}: must be at least 0")
        if self.max_jobs < 1:
            raise UserError(f"--max-jobs {self.max_jobs}: must be at least 1")
        if self.chosen_executor in ("ray", "processes") and self._in_memory:
            raise UserError("--artifacts memory://: not visible to other processes; only with --executor inline")
        if self.address is not None and self.chosen_executor != "ray":
            raise UserError("--address: only with --executor ray")
        if not 0 <= self.wait_for_nodes < float("inf"):
            raise UserError(f"--wait-for-nodes {self.wait_for_nodes:g}: must be at least 0, in minutes")
        for target in self.mirror:
            parse_target(target)
        check_home(self.paths.home)
        if self.download:
            download_folder(self.paths.data_root)

    @property
    def chosen_executor(self) -> ExecutorName | MakeExecutor:
        """The executor, chosen where the user leaves it open."""
        if self.executor != "auto":
            return self.executor
        return choose_executor(self.resources, address=self.address, wait_minutes=self.wait_for_nodes, in_memory=self._in_memory)

    @property
    def _in_memory(self) -> bool:
        return self.paths.artifacts_url.startswith("memory://")

    def command(self, verb: str, subject: str = "", *arguments: str) -> str:
        """The `robustsweep` command for the same paths, to paste into a shell; a password in the store's URL is hidden."""
        words: list[str] = []
        if verb == "launch":
            words += [word for override in self.overrides for word in ("--set", override)]
            words += ["--data", str(self.paths.data_root)] if self.paths.data_root else []
            words += self._unusual(("executor", "address", "max_failures", "max_jobs", "wait_for_nodes", "notify"), of=self)
            words += self._unusual([field.name for field in fields(Resources)], of=self.resources)
            words += ["--download"] if self.download else []
            words += [word for digits in self.only for word in ("--only", digits)]
            words += [word for target in self.mirror for word in ("--mirror", target)]
        words += [word for plugin in self.plugins for word in ("--plugin", plugin)]
        return hints.command(verb, *filter(None, [subject, *arguments]), at=self.paths, more=words)

    @staticmethod
    def _unusual(names: Sequence[str], *, of: Any) -> list[str]:
        """The options, as words, whose values are not the default ones."""
        usual = {found.name: found.default for found in fields(of)}
        found = {name: getattr(of, name) for name in names if getattr(of, name) != usual[name] and not callable(getattr(of, name))}
        return [word for name, value in found.items() for word in (f"--{name.replace('_', '-')}", f"{value}")]


def launch(options: LaunchOptions, console: Console) -> int:
    """Run the sweep to its end; return the exit code: 0 all done, 1 something failed, 130, 143 or 129 stopped by Ctrl-C, SIGTERM or SIGHUP.

    Raises:
        UserError: nothing was started, for a reason that the user can fix.
    """
    options.check()
    loaded = load_sweep(options.space, options.overrides, options.paths.artifacts)
    if console.is_terminal:  # the next line waits for the plan and the database
        say(console, f"sweep {loaded.name}: planning its jobs")
    if options.download:  # before the jobs: what is in some data sets' files is part of their keys
        download_keyed_data(loaded.space, download_folder(options.paths.data_root), console)
    with digests_of_files(options.paths.data_root):
        return _launched(options, loaded, console)


def _launched(options: LaunchOptions, loaded: LoadedSpace, console: Console) -> int:
    make_kind: Callable[..., SweepKind] = SearchLaunch if loaded.space.method == "optuna" else GridLaunch
    kind = make_kind(loaded, options.paths, max_failures=options.max_failures, max_jobs=options.max_jobs, only=options.only)
    speaker = Speaker(console, sweep=loaded.name)
    with open_store(options.paths.store_url, upgrade=True) as store, (signals := StopSignals()).handled():
        try:
            keep_weights(loaded, loaded.space.weights, options.paths.artifacts)
            code = Launch(options, loaded.name, kind, store, speaker, signals).run()
        except KeyboardInterrupt:
            speaker.say(f"stopped before its jobs; continue with: {options.command('launch', options.space)}")
            code = signals.code
    if options.notify is not None:
        notify(options.notify, sweep=loaded.name, code=code, summary=speaker.text, say=speaker.say)
    return code


class Speaker:
    """The lines that a launch says of its sweep; `text` is the last one."""

    def __init__(self, console: Console, *, sweep: str) -> None:
        self.console, self.text, self._sweep = console, "", sweep

    def say(self, text: str) -> None:
        self.text = text
        say(self.console, f"sweep {self._sweep}: {text}")


class Launch:
    """One launch of a sweep, in steps that are the same for both kinds: take the lease, open the work, drive it, report."""

    def __init__(self, options: LaunchOptions, name: str, kind: SweepKind, store: Store, speaker: Speaker, signals: StopSignals) -> None:
        self._options, self._name, self._kind, self._store = options, name, kind, store
        self._console, self._say, self._signals = speaker.console, speaker.say, signals

    def run(self) -> int:
        """Run the sweep to its end; return the exit code.

        Raises:
            StorageError: there are jobs to run, and their artifacts cannot be written.
        """
        lease = self._take_lease()
        refused = self._mark_artifacts()
        recorder = Recorder(self._store, sweep=self._name, artifacts=self._options.paths.artifacts, lease=lease)
        sweep, stopped = None, None
        with self._kind.open_work(self._store, recorder, self._say) as work:
            if work.needed and refused is not None:
                raise refused
            if work.needed:
                self._say(work.summary)
                sweep, stopped = self._drive(work, recorder)
        return self._report(work, recorder, sweep, stopped)

    def _mark_artifacts(self) -> StorageError | None:
        """Mark the artifacts as this database's; return why they cannot be written, which is no harm where nothing is to be run."""
        try:
            mark_owner(self._options.paths.artifacts, self._store)
        except StorageError as error:
            return error
        return None

    def _take_lease(self) -> Lease:
        """Plan and check, then take the sweep's lease; repeat if another driver has held it meanwhile.

        Raises:
            UserError: another driver has the lease, or something is missing.
        """
        while True:
            seen = wait_for_lease(self._store, self._name, self._console)
            self._provide_data(self._kind.prepare(self._store))
            with suppress(LeaseTaken):
                lease = self._kind.take_lease(self._store, seen)
                told = replace(self._options, notify=None)  # it may hold an address that is a secret
                record_command(self._store, lease, told.command("launch", told.space))
                return lease

    def _provide_data(self, jobs: Sequence[Job]) -> None:
        """Check the data that jobs need, and what they ask of their networks; download data first where that is asked for.

        Raises:
            DataError: they are not in place.
            UserError: a network lacks what is asked of it.
        """
        root = self._options.paths.data_root
        if self._options.download:
            download_data(jobs, download_folder(root), self._console)
        verify_data(jobs, root)
        check_sizes(jobs, root)
        check_effects(jobs)

    def _drive(self, work: SweepWork, recorder: Recorder) -> tuple[SweepRun, Stopped | None]:
        """Run the work; return the sweep after that, and what stopped it before its end."""
        mirrors = SweepMirrors.opened(
            self._options.mirror, sweep=self._name, say=self._say, later=partial(self._options.command, "mirror", self._name)
        )
        with ConcurrentSweeps(self._store, sweep=self._name) as others, mirrors as observer:
            sweep = SweepRun(
                work.queue, recorder, work.jobs, source=work.source, known=work.known, elsewhere=others.running, observer=observer
            )
            stopped = drive(sweep, self._make_executor, name=self._name, console=self._console, signals=self._signals)
        if (conclusion := work.conclusion()) is not None:
            self._say(conclusion)
        return sweep, stopped

    def _make_executor(self) -> Executor:
        options = self._options
        folders = Folders(options.paths.artifacts.url, options.paths.data_root)
        if (chosen := options.chosen_executor) == "inline":
            return InlineExecutor(folders, options.resources)
        if chosen == "processes":
            return ProcessesExecutor(folders, options.resources)
        if callable(chosen):
            return chosen(folders, options.resources)
        from orchestrator.executors.ray_tune.ray_executor import RayExecutor

        return RayExecutor(
            folders,
            options.resources,
            address=options.address,
            wait_minutes=options.wait_for_nodes,
            say=partial(say, self._console),
            footprints=partial(recent_footprints, self._store),
        )

    def _report(self, work: SweepWork, recorder: Recorder, sweep: SweepRun | None, stopped: Stopped | None) -> int:
        """Report how the launch ended; return the exit code."""
        if recorder.lease_loss.reason is not None:
            say(self._console, f"{recorder.lease_loss.reason}; stopped here, and nothing more is written")
            return EXIT_INCOMPLETE
        if recorder.unrecorded:
            self._say(
                f"{recorder.unrecorded} results are on disk but not in the database ({recorder.last_error}); the next launch records them"
            )
        done = EXIT_INCOMPLETE if recorder.unrecorded else 0
        if sweep is None:
            self._say(f"{work.nothing_to_do}; {self._options.command('results', self._name)}")
            return done
        return self._report_jobs(sweep, stopped) or done

    def _report_jobs(self, sweep: SweepRun, stopped: Stopped | None) -> int:
        """Report what became of the jobs; return their exit code."""
        queue, options = sweep.queue, self._options
        done, failed, blocked = queue.total("done"), queue.total("failed"), queue.total("blocked")
        total = sum(sum(counts.values()) for counts in queue.counts().values())
        if stopped is not None:
            continued = f"; continue with: {options.command('launch', options.space)}" if options.says_next else ""
            self._say(f"{stopped.reason}stopped after {done} of {total} jobs{continued}")
            return stopped.code
        if failed or blocked:
            reasons = f"{options.command('status', self._name)} --failed"
            self._say(f"{done} of {total} jobs done, {failed} failed, {blocked} blocked; see: {reasons}")
            return EXIT_INCOMPLETE
        self._say(f"all {total} jobs done in {clock(sweep.meter.elapsed)}; see: {options.command('results', self._name)}")
        for shown in self._next_steps() if options.says_next else ():
            say(self._console, f"  {shown}")
        return 0

    def _next_steps(self) -> list[str]:
        """Commands that look at the sweep in other ways, each with what it shows."""
        verbs = {**(_OF_A_SEARCH if self._kind.searches else {}), **_NEXT}
        commands = {self._options.command(verb, "" if verb == "dashboard" else self._name): shows for verb, shows in verbs.items()}
        width = max(map(len, commands))
        return [f"{command:<{width}}  # {shows}" for command, shows in commands.items()]
