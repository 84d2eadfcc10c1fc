"""A sweep in a folder of its own, launched as from a shell, and the moments at which something is done to it."""

import json
import random
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.commands import PROGRAM, environment, write_space
from tests.faults.processes import freeze, in_session, send, wait_for, workers
from tests.kept_files import job_folder

# Every kind of job but the putting on of defences, which takes no time; long enough that something is always under way.
SPACE = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: [1.0, 0.8]}
training: {epochs: 8, batch_size: 32}
fine_tuning: {epochs: 4}
evaluation: {examples: 12, batch_size: 6, repeats: 2}
attacks:
  - {attack: [fgsm, pgd], epsilon: [2/255, 8/255]}
  - {attack: pgd, epsilon: 8/255, knowledge: [omniscient, transfer]}
diagnosis: {depth: quick, examples: 4, batch_size: 4, steps: 2, more_steps: 4, queries: 4, eot_samples: 2, selection_draws: 2, draws: 2}
surfaces: [{resolution: 3}]
"""
Stamp = tuple[int, int]
ON_RAY = ("--executor", "ray", "--workers", "2")


class Stored(Protocol):
    """A sweep as it can be counted: the URL of its database, and the folder of its artifacts."""

    @property
    def url(self) -> str: ...

    @property
    def artifacts(self) -> Path: ...


def finished(artifacts: Path) -> dict[str, Stamp]:
    """Inode and time of writing of the file that holds each job's result, by job key."""
    found = {}
    for path in artifacts.glob("*/*/result.json"):
        status = path.stat()
        found[path.parent.name] = (status.st_ino, status.st_mtime_ns)
    return found


def half_written(artifacts: Path) -> list[Path]:
    return list(artifacts.rglob("*.tmp"))


@dataclass
class Launch:
    """A running `robustsweep launch`: a session of its own, with its driver as the leader."""

    process: subprocess.Popen[str]
    log: Path

    @property
    def session(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def finish(self, *, seconds: float = 600) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(timeout=seconds)

    def kill_driver(self) -> None:
        """Kill the driver alone; what it started is left to itself."""
        self.process.kill()
        self.process.wait(timeout=60)

    def kill_workers_if(self, sweep: "Sweep", moment: str) -> bool:
        """Kill every worker, provided that it is the moment when none of them moves any more; returns whether it was."""
        if not sweep.is_moment(moment):  # cheaper to ask than who the workers are
            return False
        caught = workers(self.session)
        freeze(caught)
        if not caught or not sweep.is_moment(moment):
            send(signal.SIGCONT, caught)
            return False
        send(signal.SIGKILL, caught)
        return True


@dataclass(frozen=True)
class Sweep:
    """The folder in which a space is launched, again and again."""

    folder: Path
    options: Sequence[str] = ON_RAY
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, space: str = SPACE, *options: str, variables: dict[str, str] | None = None) -> Self:
        folder.mkdir(parents=True, exist_ok=True)
        write_space(folder, space)
        return cls(folder, options or ON_RAY, variables or {})

    @property
    def artifacts(self) -> Path:
        return self.folder / "sweeps" / "artifacts"

    @property
    def database(self) -> Path:
        return self.folder / "sweeps" / "results.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.database}"

    def run_quietly(self) -> None:
        """Run the sweep, or what is left of it, in one process, undisturbed."""
        code = replace(self, options=("--executor", "inline")).launch_to_the_end()
        assert code == 0, (self.folder / "launch.log").read_text()

    @contextmanager
    def launched(self) -> Iterator[Launch]:
        """Inside, a launch runs; nothing of it is left afterwards."""
        log = self.folder / "launch.log"
        with log.open("a") as opened:
            process = subprocess.Popen(
                [*PROGRAM, "launch", "tiny.yaml", *self.options],
                cwd=self.folder,
                env=environment(self.variables),
                stdout=opened,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        try:
            yield Launch(process, log)
        finally:
            send(signal.SIGKILL, in_session(process.pid))
            process.wait(timeout=60)

    def launch_to_the_end(self) -> int:
        with self.launched() as launch:
            return launch.finish()

    def finished(self) -> dict[str, Stamp]:
        """Inode and time of writing of the file that holds each job's result, by job key."""
        return finished(self.artifacts)

    def under_way(self) -> dict[str, str]:
        """The stages of the jobs that were begun and have no result, by job key."""
        begun = (path for path in self.artifacts.glob("*/*/job.json") if not (path.parent / "result.json").exists())
        return {path.parent.name: json.loads(path.read_text())["spec"]["stage"] for path in begun}

    def is_moment(self, name: str) -> bool:
        """Whether it is now that workers are `training` (past the first epoch), `attacking` or `writing`."""
        match name:
            case "training":
                begun = self.under_way()
                training = [key for key, stage in begun.items() if stage in ("pretrain", "fine_tune")]
                return any((job_folder(self.artifacts, key) / "checkpoint").exists() for key in training)
            case "attacking":
                return "attack" in self.under_way().values()
            case "writing":
                return bool(half_written(self.artifacts))
        raise ValueError(f"moment '{name}': one of training, attacking, writing")

    def seconds_unsaved(self, key: str, start: float) -> float:
        """How long ago the job was saved, or its attempt begun at `start` (seconds since 1970)."""
        saves = [path.stat().st_mtime for name in ("checkpoint", "progress") for path in self.artifacts.glob(f"*/{key}/{name}")]
        return max(0.0, time.time() - max([start, *saves]))


class Watch:
    """Notes, as long as it is entered, every file that ever held a job's result: two of one job are a job done twice."""

    def __init__(self, sweep: Stored) -> None:
        self._sweep, self._over = sweep, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.stamps: defaultdict[str, set[Stamp]] = defaultdict(set)

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.note()

    def note(self) -> None:
        for key, stamp in finished(self._sweep.artifacts).items():
            self.stamps[key].add(stamp)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self.note()


def random_moments(count: int, *, jobs: int, seed: int) -> list[tuple[int, float]]:
    """Moments spread over a whole launch: after how many results, and how many seconds later (before the first result, more of them)."""
    generator = random.Random(seed)
    counts = [generator.randrange(jobs) for _ in range(count)]
    return [(results, generator.uniform(0, 0.5 if results else 8)) for results in counts]


def wait_for_results(sweep: Sweep, launch: Launch, count: int) -> None:
    """Wait until the sweep has so many results, or the launch is over."""
    wait_for(lambda: len(sweep.finished()) >= count or not launch.running, what=f"{count} results")


def kill_driver_at(launch: Launch, sweep: Sweep, moment: tuple[int, float]) -> None:
    """Kill the driver so many seconds after so many results of the whole sweep, or find that it was quicker."""
    results, later = moment
    wait_for_results(sweep, launch, results)
    time.sleep(later)
    launch.kill_driver()
