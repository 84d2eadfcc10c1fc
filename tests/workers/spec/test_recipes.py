import pytest

from workers.errors import UserError
from workers.registry import DATASETS
from workers.spec.recipes import AUGMENTATION, BINARY, RECIPES, inherit_training, resolve_training
from workers.spec.training import TrainingSpec

COMMON = {
    "loss": "cross_entropy",
    "gamma": 0.1,
    "clip_norm": None,
    "crop_padding": None,
    "cutout": None,
    "augmentation": "none",
    "mixing": "none",
    "mixing_alpha": 1.0,
    "time_shift": 0.0,
    "background_noise": 0.0,
    "spectrogram_masks": 0.0,
    "precision": "float32",
    "channels_last": True,
    "adversarial_training": "none",
    "adversarial_epsilon": ("2/255", "8/255"),
    "adversarial_steps": (2, 10),
    "adversarial_stepsize": 2.5,
    "adversarial_alpha": 0.5,
    "adversarial_norm": "linf",
    "adversarial_loss": "ce",
    "adversarial_noise": 2.0,
    "gradient_alignment": 0.0,
    "weight_perturbation": 0.0,
    "weight_perturbation_from": 0.0,
    "warm_up": None,
    "weight_average": "none",
    "ema_decay": 0.995,
    "average_from": 0.5,
    "checkpoint": "last",
}
PAPER_CIFAR10 = COMMON | {
    "recipe": "paper",
    "epochs": 350,
    "batch_size": 128,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 1e-6,
    "schedule": "step",
    "milestones": (150 / 350, 250 / 350),
    "label_smoothing": 0.0,
    "horizontal_flip": True,
}
PAPER_AUDIO = PAPER_CIFAR10 | {
    "epochs": 50,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "milestones": (25 / 50, 35 / 50),
    "horizontal_flip": False,
}
FAST_CIFAR10 = COMMON | {
    "recipe": "fast",
    "epochs": 30,
    "batch_size": 256,
    "optimizer": "sgd",
    "learning_rate": 0.2,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 5e-4,
    "schedule": "one_cycle",
    "milestones": (150 / 350, 250 / 350),
    "label_smoothing": 0.1,
    "precision": "auto",
    "horizontal_flip": True,
    "crop_padding": 4,
}
FAST_AUDIO = FAST_CIFAR10 | {
    "epochs": 15,
    "batch_size": 128,
    "optimizer": "adam",
    "learning_rate": 0.003,
    "nesterov": False,
    "weight_decay": 0.0,
    "horizontal_flip": False,
    "crop_padding": None,
}
BINARY_IMAGE = {"optimizer": "adam", "learning_rate": 0.005, "weight_decay": 0.0, "nesterov": False}
BINARY_AUDIO = {"optimizer": "adam", "learning_rate": 0.003, "weight_decay": 0.0}


def flat(training):
    """Every setting of a training, those of its loss among them."""
    return training.model_dump(exclude={"settings"}) | dict(training.settings)


@pytest.mark.parametrize(
    ("recipe", "dataset", "settings"),
    [
        ("paper", "cifar10", PAPER_CIFAR10),
        ("fast", "cifar10", FAST_CIFAR10),
        ("paper", "digits", PAPER_CIFAR10 | {"horizontal_flip": False}),
        ("paper", "speech_commands", PAPER_AUDIO),
        ("paper", "tones", PAPER_AUDIO),
        ("fast", "digits", FAST_CIFAR10 | {"horizontal_flip": False, "crop_padding": None}),
        ("fast", "speech_commands", FAST_AUDIO),
    ],
)
def test_a_recipe_is_this_complete_spec(recipe, dataset, settings):
    assert flat(resolve_training({"recipe": recipe}, dataset=dataset, binary=False)) == settings


@pytest.mark.parametrize(
    ("dataset", "settings"), [("cifar10", FAST_CIFAR10 | BINARY_IMAGE), ("tones", FAST_AUDIO | BINARY_AUDIO)], ids=["image", "audio"]
)
def test_a_binary_network_is_trained_with_its_own_settings_under_fast(dataset, settings):
    assert flat(resolve_training({"recipe": "fast"}, dataset=dataset, binary=True)) == settings


@pytest.mark.parametrize("given", [{"recipe": "paper"}, {"recipe": "custom", "epochs": 3}, {"epochs": 3}], ids=str)
@pytest.mark.parametrize("dataset", ["cifar10", "tones"])
def test_other_recipes_train_binary_networks_as_they_train_all(given, dataset):
    binary, real = (resolve_training(given, dataset=dataset, binary=binary) for binary in (True, False))
    assert binary == real


def test_a_setting_that_is_given_wins_over_a_recipes_for_binary_networks():
    given = {"recipe": "fast", "optimizer": "sgd", "learning_rate": 0.3, "weight_decay": 1e-4}
    binary, real = (resolve_training(given, dataset="cifar10", binary=binary) for binary in (True, False))
    assert (binary.optimizer, binary.learning_rate, binary.weight_decay) == ("sgd", 0.3, 1e-4)
    assert binary == real


def test_settings_without_a_recipe_are_over_the_specs_defaults_as_ever():
    resolved = resolve_training({"epochs": 6, "batch_size": 64}, dataset="digits", binary=False)
    assert (
        resolved
        == TrainingSpec(epochs=6, batch_size=64)
        == resolve_training({"recipe": "custom", "epochs": 6, "batch_size": 64}, dataset="digits", binary=False)
    )


@pytest.mark.parametrize("recipe", ["paper", "fast"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 35),
        ("batch_size", 32),
        ("learning_rate", 0.05),
        ("weight_decay", 1e-3),
        ("label_smoothing", 0.2),
        ("clip_norm", 1.0),
        ("precision", "bf16"),
        ("channels_last", False),
        ("horizontal_flip", False),
        ("crop_padding", 2),
        ("adversarial_training", "pgd"),
    ],
)
def test_a_setting_next_to_a_recipe_changes_that_setting_only(recipe, name, value):
    plain, changed = (flat(resolve_training({"recipe": recipe} | more, dataset="cifar10", binary=False)) for more in ({}, {name: value}))
    assert changed == plain | {name: value}


@pytest.mark.parametrize("milestones", [(150, 250), ("150/350", "250/350"), ("3/7", 250), (250, 150), (150, 250, 350, 9999)])
def test_milestones_in_epochs_and_in_shares_are_the_same_spec(milestones):
    given = {"schedule": "step", "epochs": 350, "milestones": milestones}
    assert resolve_training(given, dataset="digits", binary=False).milestones == (150 / 350, 250 / 350)


@pytest.mark.parametrize(
    "idle",
    [
        {"milestones": (1,), "gamma": 0.5},
        {"optimizer": "adam", "momentum": 0.5, "nesterov": True},
        {"momentum": 0.0, "nesterov": True},
        {"adversarial_epsilon": ("1/255", "2/255"), "adversarial_steps": (1, 1), "adversarial_stepsize": 1.0, "adversarial_alpha": 0.0},
        {"adversarial_training": "pgd", "adversarial_alpha": 0.0},
        {"adversarial_training": "r_fgsm", "adversarial_steps": (1, 1), "adversarial_stepsize": 1.0},
    ],
    ids=str,
)
def test_settings_without_effect_take_their_defaults(idle):
    effective = {name: idle[name] for name in ("optimizer", "adversarial_training") if name in idle}
    if idle.get("momentum") == 0:
        effective["momentum"] = 0.0
    assert resolve_training({"epochs": 3} | idle, dataset="digits", binary=False) == resolve_training(
        {"epochs": 3} | effective, dataset="digits", binary=False
    )


def test_fine_tuning_under_another_recipe_keeps_what_training_set_itself():
    given = inherit_training(
        {"recipe": "paper", "adversarial_training": "pgd"}, {"recipe": "fast", "epochs": 10}, dataset="cifar10", binary=False
    )
    resolved = flat(resolve_training(given, dataset="cifar10", binary=False))
    assert resolved == FAST_CIFAR10 | {"epochs": 10, "adversarial_training": "pgd"}


def test_inherited_milestones_keep_their_shares_of_the_epochs():
    training = {"schedule": "step", "epochs": 100, "milestones": (50, 75)}
    given = inherit_training(training, {"epochs": 10}, dataset="digits", binary=False)
    assert resolve_training(given, dataset="digits", binary=False).milestones == (0.5, 0.75)


def test_every_data_set_has_its_kind_and_every_recipe_settings_for_it():
    modalities = {found.facts.modality for found in DATASETS}
    assert set(AUGMENTATION) == set(RECIPES)
    assert all(set(settings) == modalities for settings in BINARY.values())
    of_images = {"awp", "fast_at", "grad_align", "madry", "mart", "trades"}  # as their papers train; on audio they are one clear line
    assert {recipe: set(settings) for recipe, settings in RECIPES.items()} == {
        recipe: {"image"} if recipe in of_images else modalities for recipe in AUGMENTATION
    }


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("madry", {"loss": "cross_entropy", "adversarial_steps": (7, 7), "epochs": 205, "milestones": (0.5, 0.75)}),
        ("trades", {"loss": "trades", "beta": 6.0, "adversarial_loss": "kl", "milestones": (0.75, 0.9), "weight_decay": 2e-4}),
        ("mart", {"loss": "mart", "beta": 5.0, "adversarial_loss": "ce", "learning_rate": 0.01}),
        ("awp", {"loss": "cross_entropy", "weight_perturbation": 0.01, "adversarial_steps": (10, 10)}),
        ("fast_at", {"adversarial_training": "rs_fgsm", "adversarial_stepsize": 1.25, "warm_up": 0.4, "schedule": "linear"}),
        (
            "grad_align",
            {"adversarial_training": "r_fgsm", "adversarial_alpha": 0.0, "gradient_alignment": 0.2, "adversarial_stepsize": 2.5},
        ),
    ],
)
def test_a_published_method_has_its_authors_settings(recipe, said):
    found = flat(resolve_training({"recipe": recipe}, dataset="cifar10", binary=False))
    assert {name: found[name] for name in said} == said
    assert (found["crop_padding"], found["horizontal_flip"]) == (4, True)


def test_a_loss_brings_the_attack_that_it_is_published_with_unless_another_is_given():
    found = resolve_training({"loss": "trades", "epochs": 2}, dataset="digits", binary=False)
    assert (found.adversarial_training, found.adversarial_loss) == ("pgd", "kl")
    given = resolve_training({"loss": "trades", "adversarial_training": "none", "epochs": 2}, dataset="digits", binary=False)
    assert (given.adversarial_training, given.adversarial_loss) == ("none", "ce")


def test_a_recipe_for_images_is_refused_for_audio():
    with pytest.raises(UserError, match="recipe=trades: is one for images, and tones is audio; one of custom, paper, fast"):
        resolve_training({"recipe": "trades"}, dataset="tones", binary=False)


def test_a_warm_up_as_the_schedule_has_it_anyway_makes_no_other_training():
    usual, said = (resolve_training({"epochs": 2, **more}, dataset="digits", binary=False) for more in ({}, {"warm_up": 0.25}))
    assert usual == said
