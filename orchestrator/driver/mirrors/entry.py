"""Entries of a mirror: named numbers of one model, as they go to every kind of mirror alike."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.naming.names import KEY_DIGITS, JobNames, measurement_name
from orchestrator.naming.varying_axes import in_words
from workers.artifacts.outcomes import CraftOutcome, DiagnosisOutcome, EpochRecord, FlagsOutcome, Result, SurfaceOutcome, TrainOutcome
from workers.spec.job import Job

_ACCURACIES = {"evaluate": "clean_accuracy", "attack": "robust_accuracy", "corrupt": "corrupted_accuracy"}
Step = Literal["epoch", "repeat"]


@dataclass(frozen=True)
class MirroredModel:
    """One model of a sweep: what a mirror has a run for. `settings` are texts, by their names in the space."""

    key: str
    sweep: str
    name: str
    settings: Mapping[str, str]

    @classmethod
    def of(cls, job: Job, names: JobNames, *, sweep: str) -> "MirroredModel":
        """The model that a job trains or measures."""
        key = job.parents.get("model", job.key)
        settings = {name: in_words(value) for name, value in names.settings(job).items()}
        return cls(key, sweep, f"{names.model(job)} {key[:KEY_DIGITS]}", settings)


@dataclass(frozen=True)
class Entry:
    """Numbers of a model at one step: an epoch of its training, or the repeat of a measurement. All are finite."""

    model: MirroredModel
    values: Mapping[str, float]
    step: int
    counts: Step = "repeat"


def epoch_entry(model: MirroredModel, record: EpochRecord) -> Entry:
    """The line of a training's history: loss, accuracies and learning rate."""
    values = {f"training/{name}": value for name, value in record.model_dump(exclude_none=True).items() if name != "epoch"}
    return Entry(model, _finite(values), record.epoch, "epoch")


def result_entries(model: MirroredModel, job: Job, result: Result, *, after: int = -1) -> Iterator[Entry]:
    """The entries of a job's result; of a training those of the epochs `after` this one: the earlier ones have been mirrored before."""
    outcome = result.outcome
    if isinstance(outcome, TrainOutcome):
        yield from (epoch_entry(model, record) for record in outcome.history if record.epoch > after)
    if values := _finite(_values(job, result)):
        yield Entry(model, values, getattr(job.spec, "repeat", 0))


def _values(job: Job, result: Result) -> dict[str, float]:
    match result.outcome:
        case TrainOutcome() as outcome:
            return {"training/seconds": result.seconds, "parameters": outcome.n_parameters}
        case FlagsOutcome() as outcome:
            name = _with_split(job, measurement_name(job))
            own = {f"{metric}/{name}": value for metric, value in outcome.metrics.items() if value is not None}
            return {_accuracy(job): outcome.accuracy, f"seconds/{name}": result.seconds, **own}
        case CraftOutcome() as outcome:
            return {f"max_perturbation/{measurement_name(job)}": outcome.max_perturbation}
        case DiagnosisOutcome() as outcome:
            return {"zero_gradients": outcome.zero_gradients, "nonfinite_gradients": outcome.nonfinite_gradients}
        case SurfaceOutcome() as outcome:
            return {f"{name}/{measurement_name(job)}": getattr(outcome, name) for name in ("least_loss", "greatest_loss")}


def _accuracy(job: Job) -> str:
    kind = _ACCURACIES[job.stage]
    return _with_split(job, kind if job.stage == "evaluate" else f"{kind}/{measurement_name(job)}")


def _with_split(job: Job, name: str) -> str:
    evaluation: Any = getattr(job.spec, "evaluation", None)
    return name if evaluation is None or evaluation.split == "test" else f"{evaluation.split}/{name}"


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}
