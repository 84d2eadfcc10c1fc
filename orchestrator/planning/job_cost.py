"""Relative cost of a job, so that its time can be estimated from those of similar jobs; a rougher one before anything was measured."""

from workers.spec.attack import AttackSettings
from workers.spec.diagnosis import probes
from workers.spec.fields import CRAFTED, Stage
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, CraftSpec, DiagnoseSpec, SurfaceSpec, TrainSpec

SIMILAR_STAGES: dict[Stage, tuple[Stage, ...]] = {
    "pretrain": ("pretrain", "fine_tune"),
    "adopt": ("adopt", "defend"),
    "fine_tune": ("fine_tune", "pretrain"),
    "select": ("select", "defend", "adopt"),
    "defend": ("defend", "evaluate", "attack", "craft"),
    "evaluate": ("evaluate", "attack", "craft"),
    "craft": ("craft", "attack"),
    "attack": ("attack", "craft"),
    "diagnose": ("diagnose", "attack", "craft"),
    "surface": ("surface",),
    "corrupt": ("corrupt", "evaluate", "attack", "craft"),
}
"""Stages whose jobs take about as long per unit of `cost`, the stage itself first."""


def cost(job: Job) -> int:
    """Return a job's amount of work, in units that are comparable within its stage: epochs, passes over the examples, or
    a surface's points."""
    match job.spec:
        case TrainSpec() as spec:
            resumed = 0 if job.resumes is None else job.resumes.epochs
            return 1 if spec.stage in ("select", "defend") or spec.training.epochs == 0 else max(0, spec.last_epoch - resumed)
        case AttackSpec() as spec:
            return spec.evaluation.draws + (0 if spec.knowledge in CRAFTED else _passes(spec.attack))
        case CraftSpec() as spec:
            return max(1, _passes(spec.attack))
        case DiagnoseSpec(diagnosis=settings):
            chosen = probes(settings, half_range=1.0, randomised=settings.draws > 1)
            return sum(_passes(probe.attack) + settings.draws for probe in chosen)
        case SurfaceSpec() as spec:
            return spec.surface.draws * spec.surface.resolution**2
        case spec:
            return spec.evaluation.draws


def _passes(attack: AttackSettings) -> int:
    """Return how many forward passes over the examples the attack makes; a gradient counts as three. A single `selection_draws` means
    a deterministic net, on which every point is evaluated once."""
    facts, draws = attack.facts, attack.selection_draws
    compared = 1 if draws == 1 else 2 * draws
    gradients = attack.eot_samples * getattr(attack.settings, "samples", 1)
    sought = 3 * gradients if facts.takes_gradients else 0
    judged = compared if facts.selects and (draws > 1 or not facts.takes_gradients) else 0
    steps = attack.steps or int(facts.takes_gradients)
    targets = draws if attack.target == "least_likely" else 0
    return attack.restarts * steps * (sought + judged) + (attack.restarts - 1) * compared + targets


_TRAINING_EXAMPLES, _TEST_EXAMPLES = 50_000, 10_000
_BEGIN = 5000
_GRADIENT = 3
_R_FGSM_STEPS = 1


def effort(job: Job) -> float:
    """Return roughly how many forward passes over one example the job takes, in any stage, including its start-up.

    Where a spec says `all` for the examples, CIFAR-10's number is assumed.
    """
    match job.spec:
        case TrainSpec(stage="select" | "defend" | "adopt") | SurfaceSpec():
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
