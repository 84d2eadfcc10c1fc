"""Sweeps whose jobs sleep, through the real driver, recorder and store: what is left of the time is the orchestrator's own."""

import itertools
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.critical_path import CriticalPathQueue
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import Folders, Resources
from orchestrator.executors.ray_tune.ray_executor import RayExecutor
from orchestrator.planning.job_cost import effort
from orchestrator.store import Store
from tests.builders import result_of
from tests.stored import begin_driving, record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.spec.job import Job

Seconds = Callable[[Job], float]


@dataclass
class Ran:
    """How a sleeping sweep went: moments in seconds since its launch, CPU seconds of this process at the end of each job, MB at the end."""

    began: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def all_running(self, workers: int) -> float:
        """The first moment at which so many jobs ran."""
        steps = sorted([(moment, 1) for moment in self.began] + [(moment, -1) for moment in self.ended])
        return next(moment for moment, running in zip(*_totals(steps), strict=True) if running == workers)

    def since(self, moment: float) -> tuple[float, float]:
        """Wall seconds from the moment to the end, and seconds slept in them."""
        whole = zip(self.began, self.slept, strict=True)
        return self.ended[-1] - moment, sum(max(0.0, began + slept - max(began, moment)) for began, slept in whole)


def _totals(steps: list[tuple[float, int]]) -> tuple[list[float], list[int]]:
    moments, changes = zip(*steps, strict=True)
    return list(moments), list(itertools.accumulate(changes))


class SleepingSweep(SweepRun):
    """Notes when jobs begin and end."""

    def watch(self, seconds: Seconds) -> Ran:
        self._ran, self._asleep = Ran(), seconds
        return self._ran

    def begin(self, job: Job) -> None:
        self._ran.began.append(self.meter.elapsed)
        self._ran.slept.append(self._asleep(job))
        super().begin(job)

    def succeed(self, job: Job) -> None:
        super().succeed(job)
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._ran.ended.append(self.meter.elapsed)
        self._ran.cpu.append(used.ru_utime + used.ru_stime)
        self._ran.megabytes.append(_resident())


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def cluster(*, cpus: int, gpus: int) -> Iterator[str]:
    """The address of a Ray on this machine that believes to have so many CPUs and GPUs."""
    running = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus, "num_gpus": gpus, "include_dashboard": False})
    try:
        yield running.address
    finally:
        running.shutdown()


def run_asleep(store: Store, jobs: Sequence[Job], *, workers: int, address: str, seconds: Seconds, skipped: int = 0) -> Ran:
    """Launch a sweep of the jobs, each of which sleeps for so many `seconds` and leaves a made-up result; the `skipped` first ones are
    taken for done."""
    with tempfile.TemporaryDirectory(prefix="asleep") as folder:
        artifacts, to_run = Path(folder) / "artifacts", tuple(jobs[skipped:])
        record_sweep(store, name="asleep", space_text="", jobs=jobs)
        lease = begin_driving(store, "asleep", "host", os.getpid())
        recorder = Recorder(store, sweep="asleep", artifacts=Artifacts(artifacts), lease=lease)
        sweep = SleepingSweep(CriticalPathQueue(to_run, max_failures=0, effort=effort), recorder, to_run)
        ran = sweep.watch(seconds)
        work = sleeper({job.key: seconds(job) for job in to_run})
        with recorder:
            RayExecutor(Folders(str(artifacts), None), Resources(workers=workers), address=address, work=work).execute(sweep)
        assert (sweep.queue.total("done"), recorder.unrecorded) == (len(to_run), 0)
    return ran


def sleeper(seconds: dict[str, float]) -> Callable[[dict[str, Any]], None]:
    """What the workers do with a job: they import neither torch nor anything of the orchestrator."""

    def sleep(config: dict[str, Any]) -> None:
        from ray import tune

        from workers.spec.job import JOB

        for text in config["jobs"]:
            job = JOB.validate_json(text)
            time.sleep(seconds[job.key])
            folder = Artifacts(Path(config["artifacts"])).folder(job.key, attempt="asleep")
            folder.begin(job)
            folder.commit(result_of(job))
            tune.report({"done_jobs": ({"key": job.key, "peak_memory": None, "seconds": seconds[job.key]},)})

    return sleep
