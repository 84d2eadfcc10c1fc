"""Training recipes: named sets of settings by the kind of data. Resolved while planning; a job's spec holds every value itself."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from workers.components.facts import Modality
from workers.errors import UserError
from workers.registry import DATASETS, LOSSES
from workers.spec.fields import AdversarialTraining, Recipe
from workers.spec.training import USUAL_WARM_UP, TrainingSpec

_CROPPED = {"horizontal_flip": True, "crop_padding": 4}
AUGMENTATION: dict[Recipe, dict[str, Any]] = {
    "custom": {"horizontal_flip": True},
    "paper": {"horizontal_flip": True},
    "fast": _CROPPED,
    "awp": _CROPPED,
    "fast_at": _CROPPED,
    "grad_align": _CROPPED,
    "madry": _CROPPED,
    "mart": _CROPPED,
    "trades": _CROPPED,
}
"""Augmentation by recipe. Mirroring keeps the class of a photograph, but not of a digit or a sound. The paper does not crop."""

_AT_8 = {"adversarial_training": "pgd", "adversarial_epsilon": ("8/255", "8/255")}
_AT_31 = {"adversarial_training": "pgd", "adversarial_epsilon": ("0.031", "0.031"), "adversarial_steps": (10, 10)}
_STEP_7_OF_31 = 0.007 * 10 / 0.031
"""Steps of 0.007 where ten of them have epsilon 0.031."""

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
    # Adversarial training of CIFAR-10 (Madry et al., 2018): 80,000 steps of 128, PGD of 7 steps of 2/255.
    "madry": {
        "image": {
            **_AT_8,
            "adversarial_steps": (7, 7),
            "adversarial_stepsize": 1.75,
            "epochs": 205,
            "learning_rate": 0.1,
            "weight_decay": 2e-4,
            "schedule": "step",
            "milestones": (0.5, 0.75),
        },
    },
    # TRADES for CIFAR-10 (Zhang et al., 2019), as in the authors' code.
    "trades": {
        "image": {
            **_AT_31,
            "loss": "trades",
            "beta": 6.0,
            "adversarial_loss": "kl",
            "adversarial_stepsize": _STEP_7_OF_31,
            "epochs": 100,
            "learning_rate": 0.1,
            "weight_decay": 2e-4,
            "schedule": "step",
            "milestones": (75, 90),
        },
    },
    # MART for CIFAR-10 (Wang et al., 2020), as in the authors' code.
    "mart": {
        "image": {
            **_AT_31,
            "loss": "mart",
            "beta": 5.0,
            "adversarial_stepsize": _STEP_7_OF_31,
            "epochs": 120,
            "learning_rate": 0.01,
            "weight_decay": 3.5e-3,
            "schedule": "step",
            "milestones": (75, 90),
        },
    },
    # Adversarial training with weight perturbation, AT-AWP (Wu et al., 2020).
    "awp": {
        "image": {
            **_AT_8,
            "adversarial_steps": (10, 10),
            "weight_perturbation": 0.01,
            "epochs": 200,
            "learning_rate": 0.1,
            "weight_decay": 5e-4,
            "schedule": "step",
            "milestones": (100, 150),
        },
    },
    # Fast adversarial training (Wong et al., 2020): RS-FGSM with steps of 10/255, a rate that rises for two fifths and falls linearly.
    "fast_at": {
        "image": {
            "adversarial_training": "rs_fgsm",
            "adversarial_epsilon": ("8/255", "8/255"),
            "adversarial_stepsize": 1.25,
            "epochs": 15,
            "learning_rate": 0.2,
            "weight_decay": 5e-4,
            "schedule": "linear",
            "warm_up": 0.4,
        },
    },
    # FGSM with gradient alignment (Andriushchenko & Flammarion, 2020), their lambda for epsilon 8/255.
    "grad_align": {
        "image": {
            "adversarial_training": "r_fgsm",
            "adversarial_epsilon": ("8/255", "8/255"),
            "adversarial_alpha": 0.0,
            "gradient_alignment": 0.2,
            "epochs": 30,
            "learning_rate": 0.3,
            "weight_decay": 5e-4,
            "schedule": "linear",
            "warm_up": 0.4,
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

_PUBLISHED: Mapping[AdversarialTraining, dict[str, Any]] = {
    "n_fgsm": {"adversarial_stepsize": 1.0},
    "rs_fgsm": {"adversarial_stepsize": 1.25},
}
"""Settings that a kind of adversarial training is published with, where others are the defaults."""

_OF_ATTACKS = (
    *("adversarial_epsilon", "adversarial_steps", "adversarial_stepsize", "adversarial_alpha"),
    *("adversarial_norm", "adversarial_loss", "adversarial_noise"),
)
_USED: Mapping[AdversarialTraining, tuple[str, ...]] = {
    "none": (),
    "pgd": ("adversarial_epsilon", "adversarial_steps", "adversarial_stepsize", "adversarial_norm", "adversarial_loss"),
    "r_fgsm": ("adversarial_epsilon", "adversarial_alpha"),
    "rs_fgsm": ("adversarial_epsilon", "adversarial_stepsize"),
    "n_fgsm": ("adversarial_epsilon", "adversarial_stepsize", "adversarial_noise"),
}
"""Settings of attacks that have an effect in each kind of adversarial training."""


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
    if facts.modality not in RECIPES[name]:
        fitting = ", ".join(other for other, settings in RECIPES.items() if facts.modality in settings)
        raise UserError(f"recipe={name}: is one for images, and {dataset} is {facts.modality}; one of {fitting}")
    recipe = RECIPES[name][facts.modality] | (BINARY[name][facts.modality] if binary and name in BINARY else {})
    values = {**(AUGMENTATION[name] if facts.photographs else {}), **_of_the_loss(recipe, given), **given}
    values = {**_PUBLISHED.get(values.get("adversarial_training", "none"), {}), **values}
    # A recipe's milestones are epochs of its own number of epochs; they keep their shares when a space trains for longer or shorter.
    of_epochs = values["epochs"] if "milestones" in given else recipe.get("epochs", values["epochs"])
    if "milestones" in values:
        values["milestones"] = _shares(values["milestones"], epochs=of_epochs)
    return values


def _of_the_loss(recipe: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's settings without those of losses other than the one that is trained with, and first those that the loss is published
    with."""
    loss = LOSSES[given.get("loss", recipe.get("loss", TrainingSpec.model_fields["loss"].default))]
    own = loss.settings.model_fields
    return {**loss.facts.training, **{name: value for name, value in recipe.items() if name in TrainingSpec.model_fields or name in own}}


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
    idle += [name for name in _OF_ATTACKS if name not in _USED[spec.adversarial_training]]
    idle += ["gradient_alignment"] if spec.adversarial_training == "none" else []
    idle += ["mixing_alpha"] if spec.mixing == "none" else []
    idle += ["warm_up"] if spec.warm_up == USUAL_WARM_UP[spec.schedule] else []
    idle += ["weight_perturbation_from"] if spec.weight_perturbation == 0 else []
    idle += ["ema_decay"] if spec.weight_average != "ema" else []
    idle += ["average_from"] if spec.weight_average != "swa" else []
    return idle
