"""Searches over rungs whose jobs are not run: what a model is worth grows with the epochs that it is trained for."""

from dataclasses import dataclass, field
from typing import Any

from tests.orchestrator.search.synthetic import PGD, Laboratory, right, space_text
from workers.artifacts.artifacts import CHECKPOINT
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec

EPOCHS = 9
RUNGS: list[dict[str, Any]] = [{"epochs": 1}, {"epochs": 3}]
RANGES: dict[str, Any] = {"theta": {"min": 0.6, "max": 0.95}, "rank_fraction": 1.0}


def rung_search_text(*, model: dict[str, Any] | None = None, attacks: list[dict[str, Any]] | None = None, **search: Any) -> str:
    """A search over theta, or over `model`, whose trainings have nine epochs and two rungs on the way."""
    asked = {"n_trials": 9, "rungs": RUNGS, "reduction_factor": 3, **search}
    return space_text(model={**RANGES, **(model or {})}, **asked).replace("epochs: 2", f"epochs: {EPOCHS}")


def growing(spec: TrainSpec, *, attacked: bool) -> float:
    """A model that was stopped is worth less, in the same order."""
    return right(spec, attacked=attacked) * (0.5 + 0.5 * spec.last_epoch / spec.training.epochs)


@dataclass
class RungLaboratory(Laboratory):
    """A laboratory whose rungs keep checkpoints; `epochs` are those that each training was given, by its key."""

    epochs: dict[str, range] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.share = growing

    def run(self, job: Job, sweep: Any) -> None:
        if isinstance(job.spec, TrainSpec):
            before = 0 if job.resumes is None else job.resumes.epochs
            self.epochs[job.key] = range(before + 1, job.spec.last_epoch + 1)
        super().run(job, sweep)
        if isinstance(job.spec, TrainSpec) and job.spec.is_rung:
            self.artifacts.folder(job.key).save(CHECKPOINT, b"state")

    @property
    def trained(self) -> int:
        return sum(map(len, self.epochs.values()))


__all__ = ["EPOCHS", "PGD", "RungLaboratory", "growing", "rung_search_text"]
