"""Names of jobs, models, results and files for people."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.naming.varying_axes import Axes, job_settings, rank_in_words, settings_of
from workers.artifacts.outcomes import DiagnosisOutcome, FlagsOutcome, Result, SurfaceOutcome, TrainOutcome
from workers.spec.attack import AttackSettings
from workers.spec.component import DefenceSpec
from workers.spec.fields import Stage, spelled
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, CorruptSpec, CraftSpec, DiagnoseSpec, SurfaceSpec, TrainSpec
from workers.spec.surface import SurfaceSettings

if TYPE_CHECKING:
    from orchestrator.store import ResultRow, SurfaceRow
    from orchestrator.store.reading.report_evidence import TrainingRun

Model = TypeVar("Model", bound=tuple[str, ...])
"""A sweep and a model's key, and what else tells its results apart."""

KEY_DIGITS = 8
"""First digits of a job's key, by which people see it."""
_TOLD = frozenset({"training.adversarial_training"})
_LONGEST_FILE_NAME = 100  # bytes
_FORMS = {"cp": "CP", "tt": "tensor-train", "tucker": "Tucker"}
_ARCHITECTURES = {"logmel": "log-mel front-end CNN", "resnet18": "ResNet-18", "soundnet5": "SoundNet5"}
_DISTINGUISHING = (
    ("eot_samples", 1, "over {} samples"),
    ("loss", "ce", "loss {}"),
    ("target", "none", "target {}"),
    ("restarts", 1, "{} restarts"),
    ("sign_gradient", "identity", "sign as {}"),
    ("backend", "native", "by {}"),
)
"""Settings of an attack, their usual values, and the words for other values."""


def counted(number: int, thing: str) -> str:
    """Return so many things in words: `1 model`, `1,200 models`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def job_description(spec_text: str) -> str:
    """Describe a job, from the JSON of its spec, in lists of failures and relatives: `pgd 8/255 randomized, repeat 0`.

    Reads the text leniently, not as a `JobSpec`: a spec of an older version must still be describable.
    """
    spec = {name: _flat(value) for name, value in json.loads(spec_text).items()}
    if "model" in spec:
        return _described_model(spec)
    if "diagnosis" in spec:
        return f"diagnosis at {spelled(spec['diagnosis']['epsilon'])}"
    if "surface" in spec:
        return surface_words(spec["surface"])
    if "corruption" in spec:
        return f"{_corruption_words(spec['corruption'])}, repeat {spec['repeat']}"
    attack = spec.get("attack")
    words = _described_attack(attack, spec.get("knowledge", "on full weights")) if attack else "clean accuracy"
    words += f" after {spec['after']}" if spec.get("after") else ""
    return f"{words}, repeat {spec['repeat']}" if "repeat" in spec else words


def _flat(section: Any) -> Any:
    """Return a section of a spec with the own settings of its component among its other fields."""
    if not isinstance(section, dict) or "settings" not in section:
        return section
    return {**{name: value for name, value in section.items() if name != "settings"}, **section["settings"], "own": section["settings"]}


def surface_words(surface: dict[str, Any]) -> str:
    """Describe a loss surface by its settings: `loss surface of example 0, direction own, draws=3`."""
    usual = SurfaceSettings().model_dump()
    named = ("example", "direction")
    distinct = [f"{name}={value}" for name, value in surface.items() if name not in named and value != usual.get(name)]
    return ", ".join([f"loss surface of example {surface['example']}", f"direction {surface['direction']}", *distinct])


def _described_attack(attack: dict[str, Any], knowledge: str) -> str:
    norm = "" if attack.get("norm", "linf") == "linf" else f" {attack['norm']}"
    distinct = [words.format(attack[name]) for name, usual, words in _DISTINGUISHING if attack.get(name, usual) != usual]
    return " ".join([f"{attack['name']}{norm}", spelled(attack["epsilon"]), knowledge, *distinct])


def _described_model(spec: dict[str, Any]) -> str:
    model = spec["model"]
    rank = rank_in_words(model["rank_fraction"], model.get("rank_fractions") or model.get("stage_rank_fractions"))
    sketch = f"rank {rank} theta {model['theta']:g}" if model["tensorized"] else "dense"
    kind = "binary " if model.get("binary") else ""
    name = spec.get("defence", {}).get("name", "none")
    defence = "" if name == "none" else f" with {name}"
    until = f", stopped after {spec['until']} of {spec['training']['epochs']} epochs" if spec.get("until") else ""
    own = model.get("own", {"width": model["width"]} if "width" in model else {})
    settings = "".join(f"{name} {value} " for name, value in own.items())
    return f"{model['name']} {settings}{kind}{sketch}{defence} on {spec['data']['name']}, seed {spec['seed']}{until}"


def job_name(job: Job) -> str:
    """Describe a job in a few words; a transfer attack's source model by the first digits of its key, as plans list it."""
    repeat = getattr(job.spec, "repeat", None)
    return measurement_name(job) if repeat is None else f"{measurement_name(job)}, repeat {repeat}"


def measurement_name(job: Job) -> str:  # noqa: PLR0911 (one for each stage)
    """Describe a job in a few words which all repeats of it share."""
    match job.spec:
        case TrainSpec() as spec:
            return f"{spec.stage} {_named_model(spec)}"
        case CraftSpec() as spec:
            return f"craft {_named_attack(spec.attack)}"
        case AttackSpec() as spec:
            source = f" from {job.parents['source'][:KEY_DIGITS]}" if "source" in job.parents else ""
            after = f" after {spec.after}" if spec.after else ""
            return f"{_named_attack(spec.attack)} {spec.knowledge}{source}{after}"
        case DiagnoseSpec() as spec:
            return f"diagnosis at {spec.diagnosis.epsilon_literal}"
        case SurfaceSpec(surface=surface):
            return surface_words(surface.model_dump())
        case CorruptSpec(corruption=corruption):
            return _corruption_words(corruption.flat)
        case _:
            return "clean accuracy"


def _corruption_words(corruption: dict[str, Any]) -> str:
    seed = f", seed {corruption['seed']}" if corruption.get("seed") else ""
    return f"{corruption['name']} of severity {corruption['severity']}{seed}"


def _named_model(spec: TrainSpec) -> str:
    rank = f"rank={rank_in_words(spec.model.rank_fraction, spec.model.rank_fractions)}" if spec.model.tensorized else "dense"
    adversarial = "" if spec.training.adversarial_training == "none" else f" adversarial={spec.training.adversarial_training}"
    binary = "binary " if spec.model.binary else ""
    defence = "" if spec.defence.name == "none" else " ".join([f" defence={spec.defence.name}", *_given(spec.defence)])
    until = "" if spec.until is None else f" until={spec.until} of {spec.training.epochs}"
    return f"{spec.model.name} {binary}{rank} theta={spec.model.theta:g}{adversarial}{defence} seed={spec.seed}{until}"


def _given(defence: DefenceSpec) -> list[str]:
    """Return the defence's settings that differ from the default."""
    usual = {name: field.default for name, field in type(defence.settings).model_fields.items()}
    return [f"{name}={value}" for name, value in defence.settings if value != usual.get(name)]


def _named_attack(settings: AttackSettings) -> str:
    norm = "" if settings.norm == "linf" else f" {settings.norm}"
    target = "" if settings.target == "none" else f" target={settings.target}"
    sign = "" if settings.sign_gradient == "identity" else f" sign={settings.sign_gradient}"
    return f"{settings.name}{norm} {settings.epsilon_literal}{target}{sign}"


class JobNames:
    """Names of a sweep's jobs, of which more may come: a model is named by the settings in which the sweep's models differ."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._models: dict[str, Job] = {}
        self._settings: dict[str, dict[str, Any]] = {}
        self.axes = Axes.of(())
        self.add(jobs)

    def add(self, jobs: Iterable[Job]) -> None:
        """Know these jobs too."""
        if new := {job.key: job for job in jobs if isinstance(job.spec, TrainSpec)}:
            self._models |= new
            self._settings = job_settings(self._models.values())
            self.axes = Axes.of(self._settings.values())

    def settings(self, job: Job) -> dict[str, Any]:
        """The settings of the model that a job trains or measures; nothing where that is not known."""
        return self._settings.get(job.parents.get("model", job.key), {})

    def model(self, job: Job) -> str:
        """The name of the model that a job trains or measures, as its training is named."""
        trained = self._models.get(job.parents.get("model", job.key))
        return "model" if trained is None else self(trained)

    def __call__(self, job: Job) -> str:
        """`pretrain theta 0.9, learning_rate 0.1`, or `fgsm 8/255 randomized, repeat 0, on theta 0.9, learning_rate 0.1`."""
        if not self.axes or not (model := self.settings(job)):
            return job_name(job)
        if isinstance(job.spec, TrainSpec):
            return f"{job.spec.stage} {self.axes.label(model)}"
        return f"{job_name(job)}, on {self.axes.label(model)}"


def result_in_words(result: Result, *, stage: Stage) -> str:
    """Describe the outcome of a finished job in a few words."""
    match result.outcome:
        case TrainOutcome(history=[]):
            taken = {"defend": "defence put around", "select": "best weights taken"}
            return taken.get(stage, "weights taken over")
        case TrainOutcome() as outcome:
            return f"trained, training accuracy {outcome.history[-1].accuracy:.1%}{_overfitting(outcome)}"
        case FlagsOutcome() as outcome:
            return f"accuracy {outcome.accuracy:.1%}"
        case DiagnosisOutcome() as outcome:
            return f"{len(outcome.probes)} attacks compared on {outcome.n_examples} examples"
        case SurfaceOutcome() as outcome:
            return f"loss {outcome.least_loss:.3g} to {outcome.greatest_loss:.3g}"
        case outcome:
            return f"{outcome.n_examples} examples made"


def _overfitting(outcome: TrainOutcome) -> str:
    """Say since when a training has overfitted to its one-step attack, after a separator; nothing where it has not."""
    since = next((record.epoch for record in outcome.history if record.is_overfitted), None)
    left = outcome.history[-1].pgd_accuracy
    return "" if since is None else f"; catastrophic overfitting since epoch {since}: of its accuracy PGD leaves {left or 0:.1%}"


def model_names(runs: "Sequence[TrainingRun]") -> "dict[tuple[str, str], str]":
    """Return a short name of each trained model, by its sweep and key, from the settings in which they differ."""
    settings = {(run.sweep, run.model_key): {"sweep": run.sweep, **run.settings} for run in runs}
    axes, stages = Axes.of(settings.values()), {(run.sweep, run.model_key): run.stage.replace("_", "-") for run in runs}
    return told_apart({key: f"{stages[key]} {axes.label(model)}" for key, model in settings.items()})


def told_apart(names: Mapping[Model, str]) -> dict[Model, str]:
    """Return the names, with the first digits of a model's key where nothing else tells it from another."""
    times = Counter(names.values())
    return {
        key: name if times[name] == 1 else ", ".join([*([name] if name else []), f"model key {key[1][:KEY_DIGITS]}"])
        for key, name in names.items()
    }


def model_title(row: "ResultRow") -> str:
    """Return the title of a model for a leaderboard: `Defensive tensorization, theta 0.9, seed 0`."""
    kind = "Tensorized network" if row.tensorized else "Dense network"
    words = [f"Defensive tensorization, theta {row.theta:g}" if row.theta < 1 else kind]
    words += [] if row.defence == "none" else [row.defence.replace("_", " ")]
    words += [] if row.adversarial_training == "none" else [f"adversarial training ({row.adversarial_training})"]
    return ", ".join([*words, f"seed {row.seed}"])


def architecture_in_words(row: "ResultRow") -> str:
    """Describe the network of a model: `ResNet-18, width 64, Tucker rank 0.5 of latent`; one that we do not ship by its own name."""
    words = [("binary " if row.binary else "") + _ARCHITECTURES.get(row.model, row.model)]
    words += [f"{name} {value}" for name, value in row.model_settings.items()]
    form = _FORMS[row.model_options.get("factorization", "tucker")]
    words += [f"{form} rank {rank_in_words(row.rank_fraction, row.rank_fractions)} of {row.rank_kind}"] if row.tensorized else []
    return ", ".join(words)


def model_slug(row: "ResultRow") -> str:
    """Return a model's file name: its settings, and the first digits of its key."""
    rank = rank_in_words(row.rank_fraction, row.rank_fractions).replace("/", "-")
    parts = [row.model, *([f"rank{rank}", f"theta{row.theta:g}"] if row.tensorized else ["dense"])]
    parts += [name for name in (row.defence, row.adversarial_training) if name != "none"]
    return f"{slug('_'.join(parts))}_{slug(row.model_key[:KEY_DIGITS])}"


def surface_family(row: "SurfaceRow", among: "Sequence[SurfaceRow]") -> str:
    """Describe the net, the example and the direction that the surfaces of a family have in common; its training where that varies among
    the surfaces of a sweep."""
    rank = "dense" if row.rank_fraction is None else f"rank {rank_in_words(row.rank_fraction, row.rank_fractions)} of {row.rank_kind}"
    binary = "binary " if row.binary else ""
    training = "" if row.adversarial_training == "none" else f", adversarial training {row.adversarial_training}"
    settings = [f" {name}={value}" for name, value in (row.defence_settings or {}).items()]
    defence = "" if row.defence == "none" else "".join([f", {row.defence}", *settings])
    own = "".join(f" {name} {value}" for name, value in row.model_settings.items())
    axes = Axes.of(map(settings_of, among))
    trained = Axes({name: title for name, title in axes.titles.items() if name.startswith("training.") and name not in _TOLD}, {})
    varied = f", {trained.label(settings_of(row))}" if trained.titles else ""
    whose = "the gradient at theta 1" if row.direction == "theta_one" else "each net's own gradient"
    return (
        f"{row.model}{own}, {binary}{rank}{training}{defence}{varied}, seed {row.seed}: "
        f"{row.dataset} test example {row.example}, class {row.label}, along {whose}"
    )


def surface_name(row: "SurfaceRow", draw: int, family: "Sequence[SurfaceRow]") -> str:
    """Return the settings in which one draw of a surface differs from the others of its family."""
    name = Axes.of(map(settings_of, family)).label(settings_of(row))
    return f"{name}, draw {draw + 1}" if row.draws > 1 else name


def slug(name: str) -> str:
    """Convert a name to a part of a file name: letters, digits, dots and dashes, no leading dot. One that is too long is cut, and tells
    apart by a digest what was cut off."""
    whole = re.sub(r"[^\w.]+", "-", name).strip("-.") or "sweep"
    if len(encoded := whole.encode(errors="replace")) <= _LONGEST_FILE_NAME:
        return whole
    digest = hashlib.sha256(encoded).hexdigest()[:KEY_DIGITS]
    return f"{encoded[: _LONGEST_FILE_NAME - KEY_DIGITS - 1].decode(errors='ignore').rstrip('-.')}-{digest}"
