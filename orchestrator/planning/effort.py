"""Relative duration of a job, estimated before anything was measured: accurate enough for critical-path scheduling."""

from orchestrator.planning.job_cost import cost
from workers.spec.job import DiagnoseSpec, Job, SurfaceSpec, TrainSpec

_TRAINING_EXAMPLES, _TEST_EXAMPLES = 50_000, 10_000
_BEGIN = 5000
_GRADIENT = 3
_R_FGSM_STEPS = 1


def effort(job: Job) -> float:
    """Return roughly how many forward passes over one example the job takes, in any stage, including its start-up.

    Where a spec says `all` for the examples, CIFAR-10's number is assumed.
    """
    match job.spec:
        case TrainSpec(stage="defend") | SurfaceSpec():
            return _BEGIN + cost(job)
        case TrainSpec() as spec:
            examples = spec.data.train_examples or _TRAINING_EXAMPLES
            return _BEGIN + cost(job) * _GRADIENT * (1 + _adversary_steps(spec)) * examples
        case DiagnoseSpec() as spec:
            return _BEGIN + cost(job) * spec.diagnosis.examples
        case spec:
            return _BEGIN + cost(job) * (spec.evaluation.examples or _TEST_EXAMPLES)


def _adversary_steps(spec: TrainSpec) -> float:
    """Return the average number of steps that the training's attack makes on each batch."""
    training = spec.training
    if training.adversarial_training == "none":
        return 0
    return sum(training.adversarial_steps) / 2 if training.adversarial_training == "pgd" else _R_FGSM_STEPS
