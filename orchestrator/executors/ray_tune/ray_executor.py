"""Ray executor: one `Tuner` whose search algorithm hands out the sweep's jobs, each in its own Tune trial, or several short ones in one."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the terminal belongs to our own progress display
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the run at once; every finished epoch and job is on disk
    "TUNE_GLOBAL_CHECKPOINT_S": "31536000",  # Tune's own state is never used: the database is the memory
}
for _name, _value in _ENVIRONMENT.items():  # before the first import of Ray, which reads some of them at import
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune import PlacementGroupFactory, RunConfig, TuneConfig, Tuner  # noqa: E402
from ray.tune.experiment import Trial  # noqa: E402
from ray.tune.progress_reporter import TrialProgressCallback  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

from orchestrator.driver.sweep_run import SweepRun  # noqa: E402
from orchestrator.executors.base import ExecutorLostError, Folders, Resources  # noqa: E402
from orchestrator.executors.hand_out import HandOut  # noqa: E402
from orchestrator.executors.ray_tune.capacity import Amounts, slots, smallest_gpu, wait_for_room  # noqa: E402
from orchestrator.executors.ray_tune.cluster import join_cluster  # noqa: E402
from orchestrator.executors.ray_tune.gpu_allocator import GpuAllocator  # noqa: E402
from orchestrator.executors.ray_tune.gpu_packing import SMALLEST_SHARE, GpuPacking  # noqa: E402
from orchestrator.executors.ray_tune.local_ray import local_ray_cluster  # noqa: E402
from orchestrator.executors.ray_tune.ray_internals import unobtrusive  # noqa: E402
from orchestrator.executors.ray_tune.ray_watch import ClusterLoss, RayDied, RayWatch, local_loss, local_refusals  # noqa: E402
from orchestrator.executors.ray_tune.trainable import run_job_trainable  # noqa: E402
from orchestrator.executors.ray_tune.trial_scheduler import PreferUnstartedTrials  # noqa: E402
from orchestrator.store.reading.timings import Footprint  # noqa: E402
from orchestrator.temp_folder import temp_folder  # noqa: E402
from workers.plugins import archives  # noqa: E402
from workers.spec.job import Job  # noqa: E402

Work = Callable[..., None]
_DEATHS = 3  # of our own Ray in a row, without a job done in between
_TRIAL_SECONDS = 0.1  # of Tune and of the driver, from one trial to the next


class RayExecutor:
    """Executor on a local Ray, started for the purpose, or on the cluster at `address`."""

    def __init__(
        self,
        folders: Folders,
        resources: Resources,
        *,
        address: str | None = None,
        wait_minutes: float = 0.0,
        say: Callable[[str], None] = logging.info,
        work: Work = run_job_trainable,
        footprints: Callable[[], Iterable[Footprint]] = tuple,
    ) -> None:
        """Create the executor; nothing is started yet.

        Args:
            folders: where workers find the data sets and write the artifacts.
            resources: what a job gets.
            address: of a running cluster; None starts a local Ray.
            wait_minutes: how long a growing cluster gets for a first node that can hold a job.
            say: shows a line to the user.
            work: what a worker process does with a job; benchmarks replace it with a sleep.
            footprints: returns the GPU memory that earlier jobs took; called only where there are GPUs.
        """
        self._folders, self._resources, self._address = folders, resources, address
        self._wait_minutes, self._say, self._work = wait_minutes, say, work
        self._footprints = footprints

    def execute(self, sweep: SweepRun) -> None:
        """Run until the job queue is drained. Our own Ray is started again where it has died, or did not start.

        Raises:
            UserError: the cluster cannot be reached, or no node can ever hold a job of the requested size.
            ExecutorLostError: Ray does not start or dies again and again, or the cluster has died.
        """
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        deaths = 0
        while True:
            done = sweep.queue.total("done")
            try:
                return self._run(sweep)
            except RayDied as death:
                sweep.lose_all(error=str(death))
                deaths = 1 if sweep.queue.total("done") > done else deaths + 1
                if self._address is not None or deaths == _DEATHS or sweep.interrupted:
                    raise ExecutorLostError(str(death)) from death
                self._say(f"{death}; it is started again")

    def _run(self, sweep: SweepRun) -> None:
        with self._connected() as watch:
            cluster = wait_for_room(self._resources, minutes=self._wait_minutes, say=self._say)
            sweep.slots = slots(self._resources, cluster, growing=self._wait_minutes > 0)
            most = self._most_slots(sweep.slots, cluster)
            allocator = GpuAllocator(self._resources, self._packing(cluster), gpus=cluster.get("GPU", 0), slots=sweep.slots, most=most)
            # One waiting trial per slot: with fewer, new workers are requested one after the other.
            os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(most)
            with temp_folder() as storage:
                self._tuner(JobSearcher(sweep, self._folders, self._resources, allocator=allocator), storage, watch).fit()

    def _most_slots(self, whole: int, cluster: Amounts) -> int:
        """Return how many jobs run at once if they share GPUs; `whole` if they do not, or if the cluster grows to hold those."""
        if not cluster.get("GPU", 0) or self._resources.asked("attack") is not None or self._wait_minutes > 0:
            return whole
        return slots(replace(self._resources, gpus_per_attack=SMALLEST_SHARE), cluster, growing=False)

    def _packing(self, cluster: Amounts) -> GpuPacking:
        asked = [self._resources.asked(stage) for stage in ("pretrain", "attack")]
        if not cluster.get("GPU", 0) or None not in asked:
            return GpuPacking(gpu_memory=None)
        return GpuPacking(gpu_memory=smallest_gpu(), footprints=self._footprints())

    @contextmanager
    def _connected(self) -> Iterator[RayWatch]:
        """Connect this process to the cluster at the address, or to a local Ray that is shut down at the end, and watch over it."""
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if self._address is None:
            with local_ray_cluster(**quiet), RayWatch(local_loss, refusing=local_refusals) as watch:
                yield watch
            return
        with unobtrusive():
            join_cluster(self._address, warn=self._say, **quiet)
            try:
                with ClusterLoss(self._resources, wait_minutes=self._wait_minutes) as lost, RayWatch(lost) as watch:
                    yield watch
            finally:
                ray.shutdown()

    def _tuner(self, searcher: "JobSearcher", storage: Path, watch: RayWatch) -> Tuner:
        def request(config: dict[str, Any]) -> PlacementGroupFactory:
            memory = {} if config["memory"] is None else {"memory": config["memory"]}
            return PlacementGroupFactory([{"CPU": config["threads"], "GPU": config["gpus"], **memory}])

        plugins = archives()
        work = tune.with_parameters(self._work, plugins=plugins) if plugins else self._work
        return Tuner(
            tune.with_resources(work, request),
            tune_config=TuneConfig(
                search_alg=searcher,
                scheduler=PreferUnstartedTrials(),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=_short_name,
                trial_dirname_creator=_short_name,
            ),
            run_config=RunConfig(name="sweep", storage_path=str(storage), verbose=0, callbacks=[_StartCallback(searcher, watch.check)]),
        )


def _short_name(trial: Trial) -> str:
    """Return a trial's id as its name: Tune's default names hold the whole configuration."""
    return str(trial.trial_id)


class _StartCallback(TrialProgressCallback):
    """Callback that notifies the searcher when a trial leaves the queue (Tune keeps one waiting for the next free worker), and calls
    `check` between Tune's steps.

    It replaces Tune's own progress callback, which would print nothing here but keep every trial.
    """

    def __init__(self, searcher: "JobSearcher", check: Callable[[], None]) -> None:
        super().__init__()
        self._searcher, self._check = searcher, check

    def on_step_begin(self, *what: Any, **which: Any) -> None:  # noqa: ARG002
        self._check()

    def log_result(self, *what: Any, **which: Any) -> None:
        """Do nothing: no progress is printed or kept."""

    def on_trial_complete(self, *what: Any, **which: Any) -> None:
        """Do nothing: no trial is kept."""

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ARG002
        self._searcher.begin(trial.trial_id)

    def __getstate__(self) -> dict[str, Any]:
        return {}


class JobSearcher(Searcher):
    """Search algorithm that hands out the next ready jobs whenever Tune has room, and reports their outcomes to the sweep."""

    def __init__(self, sweep: SweepRun, folders: Folders, resources: Resources, *, allocator: GpuAllocator) -> None:
        super().__init__()
        self._sweep, self._resources, self._allocator = sweep, resources, allocator
        self._hand_out = HandOut(sweep, folders, resources, overhead=_TRIAL_SECONDS)

    def suggest(self, trial_id: str) -> Any:
        if self._sweep.drained:
            return Searcher.FINISHED
        limit = self._resources.workers
        if limit is not None and len(self._hand_out) >= limit:
            return None
        self._sweep.slots = self._allocator.slots
        if not self._allocator.accepts_requests or (config := self._hand_out.take(trial_id, share=self._share, learn=self._learn)) is None:
            return None
        self._allocator.request(trial_id, config["gpus"])
        return config

    def _share(self, job: Job) -> float:
        return self._allocator.share(job, self._sweep.supply.model_of(job), self._hand_out.limits(job))

    def _learn(self, job: Job, peak_memory: int | None) -> None:
        self._allocator.learn(job, self._sweep.supply.model_of(job), peak_memory)

    def begin(self, trial_id: str) -> None:
        """Record that the trial's worker has started."""
        self._allocator.begin(trial_id)
        self._hand_out.begin(trial_id)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._hand_out.report(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: ARG002
        self._allocator.release(trial_id)
        self._hand_out.end(trial_id, died=error)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: Tune's checkpoints of the search are not used, since `launch` plans anew from the database."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: nothing was saved."""

    def __getstate__(self) -> dict[str, Any]:
        """Return no state: Tune pickles its search algorithm, but this one holds a database connection and is never restored."""
        return {}
