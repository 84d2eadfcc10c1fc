"""Training recipes: named sets of settings by the kind of data. Resolved while planning; a job's spec holds every value itself."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from workers.facts import Modality
from workers.registry import DATASETS, LOSSES
from workers.spec.fields import Recipe
from workers.spec.training import TrainingSpec

AUGMENTATION: dict[Recipe, dict[str, Any]] = {
    "custom": {"horizontal_flip": True},
    "paper": {"horizontal_flip": True},
    "fast": {"horizontal_flip": True, "crop_padding": 4},
}
"""Augmentation by recipe. Mirroring keeps the class of a photograph, but not of a digit or a sound. The paper does not crop."""

RECIPES: dict[Recipe, dict[Modality, dict[str, Any]]] = {
    # The specs' own defaults; the number of epochs is the space's.
    "custom": {"image": {}, "audio": {}},
    # The values that the paper states. It states neither a batch size nor, for audio, a weight decay.
    "paper": {
        "image": {
            "epochs": 350,
            "learning_rate": 0.1,
            "momentum": 0.9,
            "weight_decay": 1e-6,
            "schedule": "step",
            "milestones": (150, 250),
            "gamma": 0.1,
        },
        "audio": {
            "epochs": 50,
            "optimizer": "adam",
            "learning_rate": 0.01,
            "weight_decay": 0.0,
            "schedule": "step",
            "milestones": (25, 35),
            "gamma": 0.1,
        },
    },
    # Super-convergence (Smith & Topin, 2019) with the settings of fast CIFAR-10 training.
    "fast": {
        "image": {
            "epochs": 30,
            "batch_size": 256,
            "learning_rate": 0.2,
            "momentum": 0.9,
            "nesterov": True,
            "weight_decay": 5e-4,
            "schedule": "one_cycle",
            "precision": "auto",
            "label_smoothing": 0.1,
        },
        "audio": {
            "epochs": 15,
            "optimizer": "adam",
            "learning_rate": 0.003,
            "weight_decay": 0.0,
            "schedule": "one_cycle",
            "precision": "auto",
            "label_smoothing": 0.1,
        },
    },
}

BINARY: dict[Recipe, dict[Modality, dict[str, Any]]] = {
    # Adam, with which XNOR-Net's authors train it. No weight decay, as in Bi-Real Net (Liu et al., 2018).
    "fast": {
        "image": {"optimizer": "adam", "learning_rate": 0.005, "weight_decay": 0.0},
        "audio": {"optimizer": "adam", "learning_rate": 0.003, "weight_decay": 0.0},
    },
}
"""Settings that replace a recipe's for binary networks; recipes that are not listed train every network alike."""

_IDLE_WITHOUT_ATTACK = ("adversarial_epsilon", "adversarial_steps", "adversarial_stepsize", "adversarial_alpha")


def resolve_training(given: Mapping[str, Any], *, dataset: str, binary: bool) -> TrainingSpec:
    """The complete settings of one training: those given, then the recipe's (for a binary network `BINARY`'s first), then the defaults.

    Settings without effect given the others (gamma without a step schedule) take their defaults, so that equal trainings have
    equal keys. Milestones may be whole epochs or shares of all epochs; the spec has shares, without those that are never reached.

    Args:
        given: settings by name, `recipe` among them (default: custom); `epochs` is needed where the recipe has none.
        dataset: the name of the data set.
        binary: true for a binary network.
    """
    spec = TrainingSpec(**_values(given, dataset, binary))
    return spec.model_copy(update={name: TrainingSpec.model_fields[name].default for name in _idle(spec)})


def inherit_training(training: Mapping[str, Any], given: Mapping[str, Any], *, dataset: str, binary: bool) -> dict[str, Any]:
    """Merge the settings given for fine-tuning over those given for training, unresolved; milestones keep their shares of the epochs."""
    inherited = dict(training)
    if "milestones" in training:
        inherited["milestones"] = _values(training, dataset, binary)["milestones"]
    return inherited | dict(given)


def _values(given: Mapping[str, Any], dataset: str, binary: bool) -> dict[str, Any]:
    name, facts = given.get("recipe", "custom"), DATASETS[dataset].facts
    recipe = RECIPES[name][facts.modality] | (BINARY[name][facts.modality] if binary and name in BINARY else {})
    values = {**(AUGMENTATION[name] if facts.photographs else {}), **_of_the_loss(recipe, given), **given}
    # A recipe's milestones are epochs of its own number of epochs; they keep their shares when a space trains for longer or shorter.
    of_epochs = values["epochs"] if "milestones" in given else recipe.get("epochs", values["epochs"])
    if "milestones" in values:
        values["milestones"] = _shares(values["milestones"], epochs=of_epochs)
    return values


def _of_the_loss(recipe: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's settings without those of losses other than the one that is trained with."""
    own = LOSSES[given.get("loss", "cross_entropy")].settings.model_fields
    return {name: value for name, value in recipe.items() if name in TrainingSpec.model_fields or name in own}


def _shares(milestones: tuple[float | int | str, ...], *, epochs: int) -> tuple[float, ...]:
    exact = (Fraction(milestone, epochs) if isinstance(milestone, int) else Fraction(milestone) for milestone in milestones)
    return tuple(float(share) for share in sorted(exact) if share < 1)


def _idle(spec: TrainingSpec) -> list[str]:
    """Return the settings without effect given the others."""
    idle = [] if spec.schedule == "step" else ["milestones", "gamma"]
    if spec.optimizer != "sgd":
        idle += ["momentum", "nesterov"]
    elif spec.momentum == 0:
        idle += ["nesterov"]
    match spec.adversarial_training:
        case "none":
            idle += _IDLE_WITHOUT_ATTACK
        case "pgd":
            idle += ["adversarial_alpha"]
        case "r_fgsm":
            idle += ["adversarial_steps", "adversarial_stepsize"]
    return idle
