"""How long a job takes beside others, before anything was measured: enough to see what must not be left for the end."""

from orchestrator.planning.job_cost import cost
from workers.spec.job import DiagnoseSpec, Job, SurfaceSpec, TrainSpec

_TRAINING_EXAMPLES, _TEST_EXAMPLES = 50_000, 10_000
_BEGIN = 5000
_GRADIENT = 3
_R_FGSM_STEPS = 1


def effort(job: Job) -> float:
    """Roughly how many forward passes over one example the job takes, whatever its stage, with what it takes to begin.

    Where a spec says `all` for the examples, they are taken to be as many as CIFAR-10's.
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
    """How many steps the training's attack makes on each batch, on the average."""
    training = spec.training
    if training.adversarial_training == "none":
        return 0
    return sum(training.adversarial_steps) / 2 if training.adversarial_training == "pgd" else _R_FGSM_STEPS
