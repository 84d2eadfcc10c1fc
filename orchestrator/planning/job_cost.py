"""Relative cost of a job, so that its time can be estimated from those of similar jobs."""

from workers.spec.attack import AttackSettings
from workers.spec.diagnosis import probes
from workers.spec.fields import CRAFTED, Stage
from workers.spec.job import AttackSpec, CraftSpec, DiagnoseSpec, Job, SurfaceSpec, TrainSpec

SIMILAR_STAGES: dict[Stage, tuple[Stage, ...]] = {
    "pretrain": ("pretrain", "fine_tune"),
    "fine_tune": ("fine_tune", "pretrain"),
    "defend": ("defend", "evaluate", "attack", "craft"),
    "evaluate": ("evaluate", "attack", "craft"),
    "craft": ("craft", "attack"),
    "attack": ("attack", "craft"),
    "diagnose": ("diagnose", "attack", "craft"),
    "surface": ("surface",),
}
"""Stages whose jobs take about as long per unit of `cost`, the stage itself first."""


def cost(job: Job) -> int:
    """Return a job's amount of work, in units that are comparable within its stage: epochs, passes over the examples, or
    a surface's points."""
    match job.spec:
        case TrainSpec() as spec:
            resumed = 0 if job.resumes is None else job.resumes.epochs
            return 1 if spec.stage == "defend" else max(0, spec.last_epoch - resumed)
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
    sought = 3 * attack.eot_samples if facts.takes_gradients else 0
    judged = compared if facts.selects and (draws > 1 or not facts.takes_gradients) else 0
    steps = attack.steps or int(facts.takes_gradients)
    targets = draws if attack.target == "least_likely" else 0
    return attack.restarts * steps * (sought + judged) + (attack.restarts - 1) * compared + targets
