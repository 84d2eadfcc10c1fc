"""Differences of the models that a table shows from the paper's, and from each other in what the table does not compare."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.naming.own_settings import hashable, sortable
from orchestrator.naming.varying_axes import Axes, ModelSettings, in_words, settings_of
from orchestrator.store import ResultRow
from workers.registry import DATASETS
from workers.spec.recipes import RECIPES

_COMPARED = frozenset({"model.theta", "model.tensorized", "model.binary", "model.rank_fraction", "model.rank_kind", "until", "sweep"})
_NOT_STATED = ("batch_size", "adversarial_epsilon", "adversarial_steps")


@dataclass(frozen=True)
class _Choice:
    """A setting of networks, what it is in the paper, and in words: what another one is, what the paper's is, and why ours differs."""

    name: str
    papers: Any
    ours: str
    stated: str
    reason: str


_CHOICES = (
    _Choice(
        "model.tensorize_first",
        True,
        "the first convolution is dense",
        "every one is tensorized",
        "its 3 or 1 input channels are a mode of that size, of which a sketch often keeps nothing",
    ),
    _Choice(
        "model.sketch_modes",
        "all",
        "sketches of the channel modes alone",
        "all modes are sketched",
        "to drop one of a kernel's 3 slices cost 30 more points of clean accuracy at theta 0.9 in a trial",
    ),
    _Choice("model.rescale", False, "sketches are rescaled", "they are not", "so that the expected kernel is the full one"),
)


def deviations(rows: Sequence[ResultRow]) -> list[str]:
    """Say in which settings that the paper states the models of these rows have others, each with the reason why ours do by default."""
    models = _models(rows)
    said = [_said(choice, models) for choice in _CHOICES if any(_differs(choice, model) for model in models)]
    trained = _training(rows, models)
    return [*said, *([trained] if trained else [])]


def differing(rows: Iterable[ResultRow]) -> list[str]:
    """The settings, in words with their values, in which the models of these rows differ and which the table does not compare."""
    models = _models(rows)
    axes = Axes.of(models)
    compared = {name for name in axes.titles if name in _COMPARED or name.startswith("defence.") or name.endswith(".adversarial_training")}
    epochs = {name for name in axes.titles if name.endswith(".epochs")}  # said by stage
    adversarial = {name for name in axes.titles if ".adversarial_" in name}  # of no meaning without
    named = [name for name in axes.titles if name not in compared | epochs | adversarial]
    return [f"{axes.titles[name]} ({_values(name, models)})" for name in named]


def distance(row: ResultRow) -> int:
    """Count the settings in which a model has others than the paper states."""
    (model,) = _models([row])
    return sum(_differs(choice, model) for choice in _CHOICES) + len(_trained_otherwise(row, model))


def _models(rows: Iterable[ResultRow]) -> list[ModelSettings]:
    return list({row.model_key: settings_of(row) for row in rows}.values())


def _differs(choice: _Choice, model: ModelSettings) -> bool:
    return choice.name in model and model[choice.name] != choice.papers


def _said(choice: _Choice, models: Sequence[ModelSettings]) -> str:
    alike = all(_differs(choice, model) for model in models if choice.name in model)
    return f"{'' if alike else 'of some models '}{choice.ours} (paper: {choice.stated}; ours: {choice.reason})"


def _training(rows: Sequence[ResultRow], models: Sequence[ModelSettings]) -> str:
    """Say in which settings the trainings are not the paper's; the number of epochs is said elsewhere."""
    if not rows:
        return ""
    stated = _stated(rows[0])
    names = dict.fromkeys(name for row in rows for name in _trained_otherwise(row, settings_of(row)))
    said = [f"{name} {_values(f'training.{name}', models)} ({in_words(stated[name])})" for name in names if name != "epochs"]
    shorter = ", in fewer epochs," if all(row.epochs < stated["epochs"] for row in rows) else ""
    unstated = [name for name in _NOT_STATED if any(_is_used(name, model) for model in models)]
    parts = [f"trained{shorter} with (paper in brackets) {', '.join(said)}" if said else ""]
    parts += [f"the paper states no {name}, here {_values(f'training.{name}', models)}" for name in unstated]
    return "; ".join(filter(None, parts))


def _is_used(name: str, model: ModelSettings) -> bool:
    return f"training.{name}" in model and (name == "batch_size" or model.get("training.adversarial_training") == "pgd")


def _stated(row: ResultRow) -> Mapping[str, Any]:
    """The training settings that the paper states, or that follow as it names no other."""
    unstated = {"optimizer": "sgd", "nesterov": False, "label_smoothing": 0.0, "crop_padding": None, "clip_norm": None}
    return {**unstated, **RECIPES["paper"][DATASETS[row.dataset].facts.modality]}


def _trained_otherwise(row: ResultRow, model: ModelSettings) -> list[str]:
    stated = _stated(row).items()
    idle = ("milestones", "gamma") if model.get("training.schedule") != "step" else ()
    known = [(name, value, model.get(f"training.{name}", value)) for name, value in stated if name not in idle]
    return [name for name, value, ours in known if hashable(ours) != hashable(value)]


def _values(name: str, models: Iterable[ModelSettings]) -> str:
    values = {hashable(model[name]): model[name] for model in models if name in model}
    return " or ".join(map(_range, sorted(values.values(), key=sortable)))


def _range(value: Any) -> str:
    return " to ".join(in_words(end) for end in value) if isinstance(value, list | tuple) else in_words(value)
