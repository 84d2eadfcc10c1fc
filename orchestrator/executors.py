"""Executor interface, and the executor that runs jobs in this process."""

import secrets
import time
import traceback
from dataclasses import dataclass
from typing import Protocol

from orchestrator.relief import Relief
from orchestrator.running import RunningSweep
from orchestrator.trainable import damaged, describe
from workers.data.remote import DataRoot
from workers.errors import ShortOfMemoryError, SupersededError, UserError
from workers.fields import Stage
from workers.results import BatchRecord, EpochRecord
from workers.specs import Job

_TRAINING: frozenset[Stage] = frozenset({"pretrain", "fine_tune"})
_PAUSE_SECONDS = 0.05  # wait for a source of jobs that has none now while nothing is under way: it waits for its database


@dataclass(frozen=True)
class Resources:
    """Resources of a job. `gpus_per_train` and `gpus_per_attack` None: the share that `Packing` finds, at first 1, where the machine or
    cluster has a GPU, else 0. `workers` limits how many jobs run at once (None: as many as fit). CPU cores are also the job's threads."""

    cpus_per_job: int = 1
    gpus_per_train: float | None = None
    gpus_per_attack: float | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            UserError: a number is too small.
        """
        for option, value, least in (
            ("--cpus-per-job", self.cpus_per_job, 1),
            ("--workers", self.workers, 1),
            ("--gpus-per-train", self.gpus_per_train, 0),
            ("--gpus-per-attack", self.gpus_per_attack, 0),
        ):
            if value is not None and value < least:
                raise UserError(f"{option} {value:g}: must be at least {least}")

    def gpus(self, stage: Stage, *, available: bool) -> float:
        """Return the GPU share of a job of this stage."""
        asked = self.asked(stage)
        return float(available) if asked is None else asked

    def asked(self, stage: Stage) -> float | None:
        """Return the GPU share that the user requested for jobs of this stage; None where unspecified."""
        return self.gpus_per_train if stage in _TRAINING else self.gpus_per_attack

    def device(self, stage: Stage, *, available: bool) -> str:
        """Return `cuda` where the job has a share of a GPU, else `cpu`."""
        return "cuda" if self.gpus(stage, available=available) > 0 else "cpu"


@dataclass(frozen=True)
class Folders:
    """Locations of the artifacts and the data sets for workers, as absolute paths or URLs."""

    artifacts: str
    data_root: DataRoot


class Executor(Protocol):
    """Interface that runs a sweep's jobs until its queue is drained, and reports every attempt to the sweep."""

    def execute(self, sweep: RunningSweep) -> None: ...


class InlineExecutor:
    """Executor that runs one job after the other in this process: for debugging and tests, with the same results as on a cluster."""

    def __init__(self, folders: Folders, resources: Resources) -> None:
        self._folders, self._resources, self._relief = folders, resources, Relief()

    def execute(self, sweep: RunningSweep) -> None:
        import torch

        available = torch.cuda.is_available()
        while not sweep.drained:
            if (job := sweep.take()) is not None:
                self._attempt(job, sweep, device=self._resources.device(job.stage, available=available))
            elif not sweep.drained:
                time.sleep(_PAUSE_SECONDS)

    def _attempt(self, job: Job, sweep: RunningSweep, *, device: str) -> None:
        from workers.run import Settings, run

        def report(record: EpochRecord | BatchRecord) -> None:
            if isinstance(record, EpochRecord):
                sweep.epoch(job, epoch=record.epoch, loss=record.loss, accuracy=record.accuracy)
            else:
                sweep.batch(job, record)

        sweep.begin(job)
        settings = Settings(
            self._folders.artifacts,
            self._folders.data_root,
            device=device,
            threads=self._resources.cpus_per_job,
            examples_per_pass=self._relief.terms(job).examples_per_pass,
        )
        try:
            run(job, settings, attempt=f"inline-{secrets.token_hex(8)}", report=report)
        except SupersededError as error:
            sweep.superseded(job, error=describe(error))
        except ShortOfMemoryError as error:
            sweep.short_of_memory(job, error=describe(error), traceback=traceback.format_exc(), relief=self._relief.grant(job))
        except Exception as error:
            sweep.fail(job, error=describe(error), traceback=traceback.format_exc(), damaged=damaged(error))
        else:
            sweep.succeed(job)
