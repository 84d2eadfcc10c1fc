"""Rules on which components go together, by their facts and without torch, so that a space file can be refused before anything runs."""

from workers.registry import DATASETS, DEFENCES, MODELS
from workers.spec.fields import Draws, Initialisation

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
    if not MODELS[model].facts.binary:
        having = ", ".join(found.name for found in MODELS if found.facts.binary)
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


def require_augmentable(dataset: str, *, horizontal_flip: bool, crop_padding: int | None, shape: tuple[int, ...] | None = None) -> None:
    """Check that examples are mirrored and cropped only where they are images, and that a crop leaves something to see.

    Args:
        dataset: the name of the data set.
        horizontal_flip: whether half of the examples are mirrored.
        crop_padding: the pixels by which crops are moved at most; None for no crops.
        shape: of an example, where it is known.

    Raises:
        ValueError: waveforms would be mirrored in time or cropped, or a crop could miss the image altogether.
    """
    facts = DATASETS[dataset].facts
    if horizontal_flip and facts.modality != "image":
        raise ValueError(f"horizontal_flip=true: {dataset} is {facts.modality}, and only images are flipped; must be false")
    if crop_padding is None:
        return
    if facts.modality != "image":
        raise ValueError(f"crop_padding={crop_padding}: {dataset} is {facts.modality}, and only images are cropped; must be null")
    if shape is not None and crop_padding >= (side := min(shape[1:])):
        raise ValueError(f"crop_padding={crop_padding}: sides are of {side} pixels; must be in [1, {side - 1}], or null")


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
