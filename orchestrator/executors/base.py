"""Executor interface, and the resources and folders of an executor."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from orchestrator.driver.sweep_run import SweepRun
from workers.data.loading.remote import DataRoot
from workers.errors import UserError
from workers.spec.fields import Stage


def gpus_here(devices: Path = Path("/dev")) -> int:
    """Return the number of NVIDIA GPUs of this machine that this process may use, by their device files and `CUDA_VISIBLE_DEVICES`."""
    found = len([path for path in devices.glob("nvidia*") if path.name.removeprefix("nvidia").isdigit()])
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return found if visible is None else min(found, len([name for name in visible.split(",") if name.strip() not in ("", "-1")]))


_TRAINING: frozenset[Stage] = frozenset({"pretrain", "fine_tune"})


@dataclass(frozen=True)
class Resources:
    """Resources of a job. `gpus_per_train` and `gpus_per_attack` None: the share that `GpuPacking` finds, at first 1, where the machine or
    cluster has a GPU, else 0. A training with several GPUs has a process on each. `workers` limits how many jobs run at once (None: as
    many as fit). CPU cores are also the job's threads. `memory_per_job` is in bytes, of the machine's memory:
    as many jobs run at once as fit, and one that takes more is ended (None: neither)."""

    cpus_per_job: int = 1
    gpus_per_train: float | None = None
    gpus_per_attack: float | None = None
    workers: int | None = None
    memory_per_job: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            UserError: a number is too small.
        """
        for option, value, least in (
            ("--cpus-per-job", self.cpus_per_job, 1),
            ("--workers", self.workers, 1),
            ("--memory-per-job", self.memory_per_job, 1),
            ("--gpus-per-train", self.gpus_per_train, 0),
            ("--gpus-per-attack", self.gpus_per_attack, 0),
        ):
            if value is not None and value < least:
                raise UserError(f"{option} {value:g}: must be at least {least}")
            if value is not None and value > 1 and value != int(value):
                raise UserError(f"{option} {value:g}: must be a share of one GPU, or a whole number")

    def gpus(self, stage: Stage, *, available: bool) -> float:
        """Return the GPU share of a job of this stage."""
        asked = self.asked(stage)
        return float(available) if asked is None else asked

    def processes(self, stage: Stage) -> int:
        """Return how many processes, on a GPU each, share a job of this stage: a training those of several GPUs, any other job none."""
        return max(1, int(self.gpus_per_train or 1)) if stage in _TRAINING else 1

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


class ExecutorLostError(Exception):
    """The place where jobs run is gone, and no fault of theirs."""


class Executor(Protocol):
    """Interface that runs a sweep's jobs until its queue is drained, and reports every attempt to the sweep."""

    def execute(self, sweep: SweepRun) -> None: ...


ExecutorName = Literal["auto", "ray", "processes", "inline"]


def choose_executor(resources: Resources, *, address: str | None, wait_minutes: float, in_memory: bool) -> ExecutorName:
    """Return the executor of a launch.

    Ray, for a cluster at an `address` or one to wait for, and where jobs share GPUs; else this machine's processes, whose first job
    begins some seconds earlier; this process alone (`inline`) where artifacts are `in_memory`.
    """
    if address is not None or wait_minutes > 0:
        return "ray"
    if in_memory:
        return "inline"
    asked = (resources.gpus_per_train, resources.gpus_per_attack)
    return "ray" if any(asked) or (None in asked and gpus_here()) else "processes"
