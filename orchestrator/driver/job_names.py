"""Short descriptions of jobs and their results, for the progress display."""

from orchestrator.store.reading.model_description import rank_in_words, surface_words
from workers.artifacts.results import DiagnosisOutcome, FlagsOutcome, Result, SurfaceOutcome, TrainOutcome
from workers.spec.attack import AttackSettings
from workers.spec.defence import DefenceSpec
from workers.spec.job import AttackSpec, CraftSpec, DiagnoseSpec, Job, SurfaceSpec, TrainSpec

_KEY_DIGITS = 8


def label(job: Job) -> str:
    """Describe a job in a few words; a transfer attack's source model by the first digits of its key, as plans list it."""
    match job.spec:
        case TrainSpec() as spec:
            return f"{spec.stage} {_model(spec)}"
        case CraftSpec() as spec:
            return f"craft {_attack(spec.attack)}"
        case AttackSpec() as spec:
            source = f" from {job.parents['source'][:_KEY_DIGITS]}" if "source" in job.parents else ""
            return f"{_attack(spec.attack)} {spec.knowledge}{source}, repeat {spec.repeat}"
        case DiagnoseSpec() as spec:
            return f"diagnosis at {spec.diagnosis.epsilon_literal}"
        case SurfaceSpec(surface=surface):
            return surface_words(surface.model_dump())
        case spec:
            return f"clean accuracy, repeat {spec.repeat}"


def _model(spec: TrainSpec) -> str:
    rank = f"rank={rank_in_words(spec.model.rank_fraction, spec.model.rank_fractions)}" if spec.model.tensorized else "dense"
    adversarial = "" if spec.training.adversarial_training == "none" else f" adversarial={spec.training.adversarial_training}"
    binary = "binary " if spec.model.binary else ""
    defence = "" if spec.defence.name == "none" else " ".join([f" defence={spec.defence.name}", *_given(spec.defence)])
    until = "" if spec.until is None else f" until={spec.until} of {spec.training.epochs}"
    return f"{spec.model.name} {binary}{rank} theta={spec.model.theta:g}{adversarial}{defence} seed={spec.seed}{until}"


def _given(defence: DefenceSpec) -> list[str]:
    """Return the defence's settings that differ from the default."""
    usual = {name: field.default for name, field in type(defence.settings).model_fields.items()}
    return [f"{name}={value}" for name, value in defence.own.items() if value != usual.get(name)]


def _attack(settings: AttackSettings) -> str:
    norm = "" if settings.norm == "linf" else f" {settings.norm}"
    target = "" if settings.target == "none" else f" target={settings.target}"
    sign = "" if settings.sign_gradient == "identity" else f" sign={settings.sign_gradient}"
    return f"{settings.name}{norm} {settings.epsilon_literal}{target}{sign}"


def summary(result: Result) -> str:
    match result.outcome:
        case TrainOutcome(history=[]):
            return "defence put around"
        case TrainOutcome() as outcome:
            return f"trained, training accuracy {outcome.history[-1].accuracy:.1%}"
        case FlagsOutcome() as outcome:
            return f"accuracy {outcome.accuracy:.1%}"
        case DiagnosisOutcome() as outcome:
            return f"{len(outcome.probes)} attacks compared on {outcome.n_examples} examples"
        case SurfaceOutcome() as outcome:
            return f"loss {outcome.least_loss:.3g} to {outcome.greatest_loss:.3g}"
        case outcome:
            return f"{outcome.n_examples} examples made"
