"""How large a sweep may become: what the driver takes for a job, how busy many GPUs are, how long planning takes.

Where the driver saturates: it is one process, and a job takes 12 to 15 ms of its time (half of that is the database's, a quarter Ray
Tune's), whether 100 jobs are done or 12,000. More than about 60 jobs a second it cannot start: 64 GPUs are kept busy by jobs of 2
seconds and more, 1,000 GPUs by jobs of 20 seconds, on the average. The first thousand jobs leave 27 kB each
in its memory, later ones take the place of older ones: what is recorded here for 10,000 is an upper bound, as if all stayed.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.driver.scheduling.critical_path import CriticalPathQueue
from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.planning.expand import expand_space
from orchestrator.planning.job_cost import effort
from orchestrator.store import open_store
from search_spaces import load_space
from tests.benchmarks.conftest import Record
from tests.benchmarks.many_results import fill
from tests.benchmarks.sleeping import cluster, run_asleep
from tests.simulation import gpu_seconds, shortest, simulate
from workers.spec.job import Job

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
WORKERS, GPUS = 16, 64
JOBS_PER_MODEL = 511


def table1(*, seeds: int = 1, repeats: int = 10) -> list[Job]:
    return expand_space(load_space("table1", [f"seed={list(range(seeds))}", f"evaluation.repeats={repeats}"]).space)


def a_second(job: Job) -> float:
    return 1.0


def no_time(job: Job) -> float:
    return 0.0


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with cluster(cpus=WORKERS, gpus=WORKERS) as where:
        yield where


@pytest.mark.parametrize("driver", [0.0, 0.04])
def test_64_gpus_in_virtual_time(driver: float, record: Record) -> None:
    """The real job queue on table 1 over 16 seeds: 128 nets, 11,040 jobs of 26 seconds on the average."""
    jobs = table1(seeds=16)
    seconds = gpu_seconds(jobs)
    queues = CriticalPathQueue(jobs, max_failures=0, effort=effort), JobQueue(jobs, max_failures=0)
    farsighted, plain = (simulate(queue, slots=GPUS, seconds=seconds, driver_seconds=driver) for queue in queues)
    best = sum(map(seconds, jobs)) / GPUS / shortest(jobs, slots=GPUS, seconds=seconds)
    reference = f"all of the time of 64 GPUs; {best:.3f} is possible, {plain.utilisation:.3f} without an eye on the end; simulated"
    name = f"64 GPUs, table 1 over 16 seeds, a driver that takes {1000 * driver:.0f} ms a job: utilisation"
    record(name, farsighted.utilisation, asked=">= 0.9", reference=reference)


@pytest.mark.parametrize("mean", [5.0, 26.0])
@pytest.mark.parametrize("drivers", [1, 4, 16])
def test_1000_gpus_in_virtual_time(drivers: int, mean: float, record: Record) -> None:
    """Table 1 over 128 seeds, 88,320 jobs, divided among drivers by their seeds; each drives its share of the GPUs, and takes 15 ms a job.
    The shares go alike: one is simulated, of one driver a quarter, in which a job takes it four times as long."""
    shares = max(drivers, 4)
    jobs, slots = table1(seeds=128 // shares), 1000 // shares
    seconds = gpu_seconds(jobs)
    scale = mean * len(jobs) / sum(map(seconds, jobs))
    queue = CriticalPathQueue(jobs, max_failures=0, effort=effort)
    ran = simulate(queue, slots=slots, seconds=lambda job: scale * seconds(job), driver_seconds=0.015 * shares / drivers)
    best = sum(map(seconds, jobs)) / slots / shortest(jobs, slots=slots, seconds=seconds)
    reference = f"all of the time of 1,000 GPUs; the graph allows {best:.3f}; simulated"
    record(f"1,000 GPUs, {drivers} drivers, jobs of {mean:g} s: utilisation", ran.utilisation, asked=">= 0.9", reference=reference)


@pytest.mark.parametrize(("workers", "mean"), [(WORKERS, 1.0), (GPUS, 4.0)])
def test_many_workers_asleep(workers: int, mean: float, tmp_path: Path, record: Record) -> None:
    """Table 1 over as many seeds as give each worker 48 jobs, through the real driver, a real process for each of the GPUs, which
    are not there; `mean` is how many seconds a job takes on the average (from a hundredth of that to twelve times)."""
    jobs = table1(seeds=workers // 2, repeats=1)
    seconds = gpu_seconds(jobs)
    scale = mean * len(jobs) / sum(map(seconds, jobs))
    with cluster(cpus=workers, gpus=workers) as address, open_store(f"sqlite:///{tmp_path}/results.db", upgrade=True) as store:
        ran = run_asleep(store, jobs, workers=workers, address=address, seconds=lambda job: scale * seconds(job))
    wall, slept = ran.since(ran.all_running(workers))
    best = simulate(CriticalPathQueue(jobs, max_failures=0, effort=effort), slots=workers, seconds=seconds).utilisation
    reference = f"all of the time of {workers} workers once they run; {len(jobs):,} jobs of {mean:g} s; the graph allows {best:.3f}"
    record(f"{workers} workers asleep: utilisation", slept / wall / workers, asked=">= 0.9", reference=reference)
    record(f"{workers} workers: seconds until all run", ran.all_running(workers), asked="< 300", reference="one second")


def test_two_workers_and_jobs_of_a_second(address: str, tmp_path: Path, record: Record) -> None:
    jobs = sorted(table1()[:132], key=lambda job: job.stage == "attack")
    with open_store(f"sqlite:///{tmp_path}/results.db", upgrade=True) as store:
        ran = run_asleep(store, jobs, workers=2, address=address, seconds=a_second, skipped=len(jobs) - 80)
    wall, slept = ran.since(ran.all_running(2))
    record("2 workers, jobs of 1 s: efficiency", slept / wall / 2, asked=">= 0.95", reference="80 x 1 s / 2, once both workers run")
    record("2 workers: seconds until both run", ran.all_running(2), asked="< 30", reference="one second")


def test_what_the_driver_takes_for_a_job(address: str, tmp_path: Path, record: Record) -> None:
    """Jobs that do nothing, before results of none, 1,022 and 10,220 other jobs in the database."""
    taken = {}
    for models in (0, 2, 20):
        with open_store(f"sqlite:///{tmp_path}/{models}.db", upgrade=True) as store:
            fill(store, models=models, sweeps=1, examples=1000)
            ran = run_asleep(store, table1()[:250], workers=2, address=address, seconds=no_time)
        taken[models] = (ran.cpu[-1] - ran.cpu[49]) / 200
        name = f"driver, {models * JOBS_PER_MODEL + 250:,} jobs in the database"
        record(f"{name}: CPU seconds a job", taken[models], asked="<= 0.04", reference="one second")
        wall = (ran.ended[-1] - ran.ended[49]) / 200
        record(f"{name}: seconds a job, two workers that do nothing", wall, asked="<= 0.04", reference="one second")
    reference = "the same with 250 jobs; as the logarithm it would be 1.7"
    record("driver, 10,470 jobs in the database: growth", taken[20] / taken[0], asked="<= 1.7", reference=reference)
    a_job = (ran.megabytes[-1] - ran.megabytes[49]) / 200
    bare = float(_ran(_DRIVER_OF_10_000_JOBS)["megabytes"])
    record(
        "driver, 10,000 jobs of a sweep: MB at most",
        bare + 10_000 * a_job,
        asked="< 1000",
        reference=f"1 MB; {bare:.0f} at first",
    )


def test_planning_100_000_jobs(tmp_path: Path, record: Record) -> None:
    """`robustsweep plan`, and the launch's own part of it: jobs recorded in an empty database."""
    planned = _ran(_PLAN_OF_100_000_JOBS, str(tmp_path))
    assert planned["jobs"] > 100_000
    reference = f"one second; {planned['jobs']:,} jobs of table 1"
    record("planning 100,000 jobs: seconds", planned["plan"], asked="< 20", reference=reference)
    record("recording 100,000 jobs in SQLite: seconds", planned["record"], asked="< 60", reference=reference)
    record("planning and recording 100,000 jobs: MB", planned["megabytes"], asked="< 1000", reference="1 MB, the whole process")


_RESIDENT = """
import json, resource, sys, time
def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
"""
_DRIVER_OF_10_000_JOBS = (
    _RESIDENT
    + """
import orchestrator.executors.ray_tune.ray_executor
from orchestrator.driver.scheduling.critical_path import CriticalPathQueue
from orchestrator.planning.job_cost import effort
from orchestrator.planning.expand import expand_space
from search_spaces import load_space
jobs = expand_space(load_space("table1", [f"seed={list(range(44))}", "evaluation.repeats=3"]).space)
queue = CriticalPathQueue(jobs, max_failures=2, effort=effort)
assert len(jobs) > 10_000
print(json.dumps({"megabytes": megabytes()}))
"""
)
_PLAN_OF_100_000_JOBS = (
    _RESIDENT
    + """
from pathlib import Path
from orchestrator.driver.lease_wait import this_driver
from orchestrator.launching.preview import preview_plan
from orchestrator.paths import Paths
from orchestrator.store import launch_sweep, open_store
paths = Paths.resolve(home=Path(sys.argv[1]), store=None)
start = time.perf_counter()
name, plan = preview_plan("table1", [f"seed={list(range(440))}", "evaluation.repeats=3"], paths)
planned = time.perf_counter()
with open_store(paths.store_url, upgrade=True) as store:
    launch_sweep(store, name=name, space_text="", jobs=plan.jobs, driver=this_driver(), seen=None)
recorded = time.perf_counter()
print(json.dumps({"jobs": len(plan.to_run), "plan": planned - start, "record": recorded - planned, "megabytes": megabytes()}))
"""
)


def _ran(program: str, *arguments: str) -> dict[str, float]:
    """What the program says, run in a process of its own, whose memory is its own."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found
