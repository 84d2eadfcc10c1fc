"""Executor on processes of this machine: one is started ahead of the jobs that wait, and each keeps its caches from job to job."""

import os
import secrets
import site
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any, Self

from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import Folders, Resources, gpus_here
from orchestrator.executors.hand_out import HandOut
from orchestrator.executors.process_worker import BEGUN, ENDED
from workers.code import FOLDER
from workers.plugins import Archives, archives
from workers.spec.job import Job

_PAUSE_SECONDS = 0.05  # until jobs that another sweep computes, and those of a search, are looked for again
_OVERHEAD_SECONDS = 0.02  # of the driver and of the pipe, from one job to the next
_END_SECONDS = 5.0


class ProcessesExecutor:
    """Executor that runs as many jobs at once, each in a process of its own, as this machine's cores and its GPU hold.

    Results are those of the other executors. The first job begins some seconds earlier than under Ray, and a batch of short jobs costs
    milliseconds; other machines, and several GPUs, need Ray.
    """

    def __init__(self, folders: Folders, resources: Resources) -> None:
        self._folders, self._resources = folders, resources

    def execute(self, sweep: SweepRun) -> None:
        """Run until the job queue is drained."""
        sweep.slots = process_slots(self._resources)
        hand_out = HandOut(sweep, self._folders, self._resources, overhead=_OVERHEAD_SECONDS)
        with WorkerProcesses(threads=self._resources.cpus_per_job) as processes:
            while not sweep.drained:
                while self._give(hand_out, processes, most=sweep.slots):
                    pass
                for process in processes.changed(seconds=_PAUSE_SECONDS):
                    _listen(process, processes, hand_out)
                if sweep.queue.total("running") and sweep.queue.total("waiting"):
                    processes.start_ahead(most=sweep.slots)

    def _give(self, hand_out: HandOut, processes: "WorkerProcesses", *, most: int) -> bool:
        """Give jobs to an idle process, or to a new one if there are fewer than `most`; return whether there were jobs and a process."""
        idle = processes.idle()
        if idle is None and len(processes) >= most:
            return False
        name = secrets.token_hex(8)
        if (config := hand_out.take(name, share=self._share)) is None:
            return False
        (idle or processes.start()).run(name, config, processes.plugins)
        return True

    def _share(self, job: Job) -> float:
        return self._resources.gpus(job.stage, available=gpus_here() > 0)


def process_slots(resources: Resources) -> int:
    """Return how many jobs run at once on this machine: by its cores, its memory, and the shares of its GPU that jobs get."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = cores // resources.cpus_per_job
    if share := max(resources.gpus(stage, available=gpus_here() > 0) for stage in ("pretrain", "attack")):
        found = min(found, int(1 / share))
    if resources.memory_per_job is not None:
        found = min(found, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // resources.memory_per_job)
    return max(1, min(found, resources.workers or found))


def _listen(process: "WorkerProcess", processes: "WorkerProcesses", hand_out: HandOut) -> None:
    """Pass on one message of a process, or its death."""
    message = process.message()
    name = process.batch
    if message is None:
        processes.discard(process)
        if name is not None:
            hand_out.end(name, died=True)
    elif BEGUN in message:
        hand_out.begin(message[BEGUN])
    elif ENDED in message:
        process.batch = None
        hand_out.end(message[ENDED], died=False)
    elif name is not None:
        hand_out.report(name, message)


class WorkerProcess:
    """One process, with the `batch` that it runs (None: idle). It ends with this process, however that ends."""

    def __init__(self, *, threads: int) -> None:
        self.batch: str | None = None
        ours, theirs = socket.socketpair()
        with theirs:
            self.connection = Connection(ours.detach())
            self._process = subprocess.Popen(  # noqa: S603 (it is this program)
                [sys.executable, "-P", "-c", _program(theirs.fileno())],
                stdin=subprocess.PIPE,  # never written to: it ends with this process
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | {"OMP_NUM_THREADS": str(threads)},
                process_group=0,  # Ctrl-C in the terminal is for the driver
            )

    def run(self, name: str, config: dict[str, Any], plugins: Archives) -> None:
        self.batch = name
        with suppress(OSError):  # it is dead, which is found out when its answer is awaited
            self.connection.send((name, config, plugins))

    def message(self) -> dict[str, Any] | None:
        """Return its next message; None where it is dead."""
        try:
            found: dict[str, Any] = self.connection.recv()
        except (EOFError, OSError):
            return None
        return found

    def kill(self) -> None:
        self.connection.close()
        self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_END_SECONDS)


def _program(descriptor: int) -> str:
    """Return the program of a worker process, which imports the code that this process runs and nothing from the current folder."""
    folder = str(FOLDER.parent)
    path = "" if folder in site.getsitepackages() else f"sys.path.insert(0, {folder!r}); "
    return f"import sys; {path}from orchestrator.executors.process_worker import main; main({descriptor})"


class WorkerProcesses:
    """Processes of a sweep. A context manager: none is left at its end, what they have done is on disk."""

    def __init__(self, *, threads: int) -> None:
        self._start = partial(WorkerProcess, threads=threads)
        self._processes: dict[Connection, WorkerProcess] = {}
        self.plugins = archives()

    def __len__(self) -> int:
        return len(self._processes)

    def idle(self) -> WorkerProcess | None:
        return next((process for process in self._processes.values() if process.batch is None), None)

    def start(self) -> WorkerProcess:
        started = self._start()
        self._processes[started.connection] = started
        return started

    def start_ahead(self, *, most: int) -> None:
        """Start a process before there is a job for it, which then does not wait for imports; none if one is idle, or there are `most`."""
        if self.idle() is None and len(self) < most:
            self.start()

    def changed(self, *, seconds: float) -> list[WorkerProcess]:
        """Wait for messages of processes, and for their ends; return these processes."""
        return [
            self._processes[connection] for connection in wait([*self._processes], timeout=seconds) if isinstance(connection, Connection)
        ]

    def discard(self, process: WorkerProcess) -> None:
        """Forget a process that is dead, or about to end."""
        del self._processes[process.connection]
        process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with ExitStack() as ended:
            for process in self._processes.values():
                ended.callback(process.kill)
