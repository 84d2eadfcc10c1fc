"""Where jobs run: the interface, and the executor that runs them in this process."""

from dataclasses import dataclass
from typing import Protocol

from orchestrator.driver.sweep_run import RunningSweep
from workers.data.remote import DataRoot
from workers.errors import UserError
from workers.spec.fields import Stage

_TRAINING: frozenset[Stage] = frozenset({"pretrain", "fine_tune"})


@dataclass(frozen=True)
class Resources:
    """What a job gets. `gpus_per_train` and `gpus_per_attack` None: what `GpuPacking` finds, at first 1, where the machine or cluster has a
    GPU, else 0. `workers` limits how many jobs run at once (None: as many as fit). CPU cores are also the job's threads."""

    cpus_per_job: int = 1
    gpus_per_train: float | None = None
    gpus_per_attack: float | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no machine can give.

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
        """The GPU share of a job of this stage."""
        asked = self.asked(stage)
        return float(available) if asked is None else asked

    def asked(self, stage: Stage) -> float | None:
        """The GPU share that the user wants for jobs of this stage, if any in particular."""
        return self.gpus_per_train if stage in _TRAINING else self.gpus_per_attack

    def device(self, stage: Stage, *, available: bool) -> str:
        """`cuda` where the job has a share of a GPU, else `cpu`."""
        return "cuda" if self.gpus(stage, available=available) > 0 else "cpu"


@dataclass(frozen=True)
class Folders:
    """Where workers find the data sets and leave the artifacts, as absolute paths or URLs."""

    artifacts: str
    data_root: DataRoot


class Executor(Protocol):
    """Runs a sweep's jobs until its board is drained, reporting every attempt to the sweep."""

    def execute(self, sweep: RunningSweep) -> None: ...
