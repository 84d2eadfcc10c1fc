"""Execution in this process, one job after the other."""

import gc
import secrets
import time
import traceback

from orchestrator.driver.sweep_run import SweepRun
from orchestrator.executors.base import Folders, Resources
from orchestrator.executors.memory_retry import OutOfMemoryRetry
from workers.artifacts.outcomes import BatchRecord, EpochRecord
from workers.errors import ShortOfMemoryError, SupersededError, damaged, describe
from workers.spec.job import Job

_PAUSE_SECONDS = 0.05  # wait for a source of jobs that has none now while nothing is under way: it waits for its database
_OFTEN = (700, 10, 10)  # Python's own: the program looks for unused values more seldom, but jobs' may be large


class InlineExecutor:
    """Executor that runs one job after the other in this process: for debugging and tests, with the same results as on a cluster."""

    def __init__(self, folders: Folders, resources: Resources) -> None:
        self._folders, self._resources, self._memory_retry = folders, resources, OutOfMemoryRetry()

    def execute(self, sweep: SweepRun) -> None:
        import torch

        gc.set_threshold(*_OFTEN)
        available = torch.cuda.is_available()
        while not sweep.drained:
            if (job := sweep.take()) is not None:
                self._attempt(job, sweep, device=self._resources.device(job.stage, available=available))
            elif not sweep.drained:
                time.sleep(_PAUSE_SECONDS)

    def _attempt(self, job: Job, sweep: SweepRun, *, device: str) -> None:
        from workers.runtime.run import RunSettings, run

        def report(record: EpochRecord | BatchRecord) -> None:
            if isinstance(record, EpochRecord):
                sweep.epoch(job, record)
            else:
                sweep.batch(job, record)

        sweep.begin(job)
        settings = RunSettings(
            self._folders.artifacts,
            self._folders.data_root,
            device=device,
            threads=self._resources.cpus_per_job,
            examples_per_pass=self._memory_retry.limits(job).examples_per_pass,
            processes=self._resources.processes(job.stage),
            most_memory=self._resources.memory_per_job,
        )
        try:
            run(job, settings, attempt=f"inline-{secrets.token_hex(8)}", report=report)
        except SupersededError as error:
            sweep.superseded(job, error=describe(error))
        except ShortOfMemoryError as error:
            self._memory_retry.fail(sweep, job, error=describe(error), traceback=traceback.format_exc())
        except Exception as error:
            sweep.fail(job, error=describe(error), traceback=traceback.format_exc(), damaged=damaged(error))
        else:
            sweep.succeed(job)
