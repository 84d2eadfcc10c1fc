"""Rules on which components go together, by their facts and without torch, so that a space file can be refused before anything runs."""

from collections.abc import Mapping
from typing import Any

from workers.registry import ATTACKS, DATASETS, DEFENCES, LOSSES, MODELS
from workers.spec.fields import CheckpointName, Draws, HeldOut, Initialisation, Mixing, WeightAveraging

_IMAGE_DIMENSIONS = 3


def require_fitting(dataset: str, model: str) -> None:
    """Check that the model takes what the data set holds.

    Raises:
        ValueError: it does not; the message names the models that do.
    """
    kind, taken = DATASETS[dataset].facts.modality, MODELS[model].facts.modality
    if taken != kind:
        fitting = ", ".join(found.name for found in MODELS if found.facts.modality == kind)
        raise ValueError(f"name={model}: takes {taken} inputs, and {dataset} is {kind}; one of {fitting}")


def require_binary_form(model: str) -> None:
    """Check that the network has a binary form.

    Raises:
        ValueError: it has none; the message names those that have one.
    """
    if not MODELS[model].accepts("binary"):
        having = ", ".join(found.name for found in MODELS if found.accepts("binary"))
        raise ValueError(f"binary=true: model {model} has no binary form (a parameter binary of its factory); one of {having}")


def require_binary_draws(draws: Draws) -> None:
    """Check that the sketch of a binary network is drawn once a batch: a kernel is made binary once a batch.

    Raises:
        ValueError: it is drawn per example.
    """
    if draws == "example":
        raise ValueError("binary=true with draws=example: a kernel is made binary once a batch; use draws=batch")


def require_binary_init(init: Initialisation) -> None:
    """Check that a binary model's Tucker layers start from random weights.

    Raises:
        ValueError: they would be decomposed: a binary net's real weights mean little beyond their signs, which no low rank keeps.
    """
    if init == "decompose":
        raise ValueError("binary=true with init=decompose: the signs of a dense net survive no decomposition; must be random")


_OF_IMAGES: dict[str, tuple[str, object, str]] = {
    "horizontal_flip": ("flipped", False, "false"),
    "crop_padding": ("cropped", None, "null"),
    "cutout": ("cut out", None, "null"),
    "augmentation": ("changed by policies", "none", "none"),
}
_OF_WAVEFORMS: dict[str, str] = {"time_shift": "shifted", "background_noise": "made noisy", "spectrogram_masks": "masked"}
AUGMENTATIONS = (*_OF_IMAGES, *_OF_WAVEFORMS, "mixing")
"""The settings of a training that change its examples."""


def require_augmentable(dataset: str, settings: Mapping[str, Any], *, shape: tuple[int, ...] | None = None) -> None:
    """Check that images are augmented as images are and waveforms as waveforms are, and that what is cropped or cut out leaves something to
    see.

    Args:
        dataset: the name of the data set.
        settings: of the training, those of `AUGMENTATIONS` that are given.
        shape: of an example, where it is known.

    Raises:
        ValueError: waveforms would be mirrored in time, say, or a crop could miss the image altogether.
    """
    modality = DATASETS[dataset].facts.modality
    for name, (what, off, legal) in _OF_IMAGES.items():
        if modality != "image" and (value := settings.get(name, off)) != off:
            raise ValueError(f"{name}={str(value).lower()}: {dataset} is {modality}, and only images are {what}; must be {legal}")
    for name, what in _OF_WAVEFORMS.items():
        if modality != "audio" and (value := settings.get(name, 0.0)) > 0:
            raise ValueError(f"{name}={value:g}: {dataset} is {modality}, and only waveforms are {what}; must be 0")
    if modality != "image" and settings.get("mixing") == "cutmix":
        raise ValueError(f"mixing=cutmix: {dataset} is {modality}, and only images are cut; one of mixup, none")
    for name in ("crop_padding", "cutout"):
        value = settings.get(name)
        if value is not None and shape is not None and value >= (side := min(shape[1:])):
            raise ValueError(f"{name}={value}: sides are of {side} pixels; must be in [1, {side - 1}], or null")


def require_mixable(loss: str, mixing: Mixing) -> None:
    """Check that a loss takes mixed labels where they are mixed.

    Raises:
        ValueError: it does not; the message names those that do.
    """
    if mixing != "none" and not LOSSES[loss].facts.mixed:
        taking = ", ".join(found.name for found in LOSSES if found.facts.mixed)
        raise ValueError(f"mixing={mixing} with loss={loss}: it takes one class for each example; none, or a loss of {taking}")


def require_checkpoint(checkpoint: CheckpointName, *, held_out: HeldOut, average: WeightAveraging) -> None:
    """Check that a training whose best weights are asked for can tell which they are.

    Raises:
        ValueError: nothing is held out to measure them on, or weights are averaged, which have no epochs.
    """
    if checkpoint == "best" and held_out == 0:
        raise ValueError("checkpoint=best with data.validation_examples=0: nothing is held out to choose by; give some, or use last")
    if checkpoint == "best" and average != "none":
        raise ValueError(f"checkpoint=best with weight_average={average}: the average is made at the end; must be none, or checkpoint last")


def require_attackable(attack: str, dataset: str) -> None:
    """Check that the attack takes such inputs as the data set has.

    Raises:
        ValueError: it does not.
    """
    facts, modality = ATTACKS[attack].facts, DATASETS[dataset].facts.modality
    if modality not in facts.modalities:
        raise ValueError(f"attack={attack}: changes {' and '.join(facts.modalities)}s, and {dataset} is {modality}")


def require_defensible(defence: str, dataset: str, *, binary: bool) -> None:
    """Check that the defence has something to act on: inputs that it takes, or the ReLUs that a binary network lacks.

    Raises:
        ValueError: it has not.
    """
    facts, modality = DEFENCES[defence].facts, DATASETS[dataset].facts.modality
    if modality not in facts.modalities:
        fitting = ", ".join(found.name for found in DEFENCES if modality in found.facts.modalities)
        raise ValueError(f"name={defence}: changes {' and '.join(facts.modalities)}s, and {dataset} is {modality}; one of {fitting}")
    if facts.acts_on_relus and binary:
        fitting = ", ".join(found.name for found in DEFENCES if not found.facts.acts_on_relus)
        raise ValueError(f"name={defence} with binary=true: acts on ReLUs, and signs have taken their place; one of {fitting}")
