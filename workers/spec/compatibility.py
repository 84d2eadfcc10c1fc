"""Which data sets and networks go together, known without torch, so that a space file can be refused before anything runs."""

from collections.abc import Iterable
from typing import Literal, get_args

from workers.spec.fields import DatasetName, DefenceName, Draws, Initialisation, ModelName

Kind = Literal["audio", "image"]

DATASET_KINDS: dict[DatasetName, Kind] = {"cifar10": "image", "digits": "image", "speech_commands": "audio", "tones": "audio"}
MODEL_KINDS: dict[ModelName, Kind] = {"logmel": "audio", "resnet18": "image", "soundnet5": "audio"}
HALF_RANGES: dict[Kind, float] = {"audio": 1.0, "image": 0.5}
"""Half of the input range, in input units: images are in [0, 1], waveforms in [-1, 1]."""
IMAGE_SIDE = 32
"""Height and width of every data set's images, in pixels."""
PAPER_WIDTHS: dict[ModelName, int] = {"logmel": 16, "resnet18": 64, "soundnet5": 16}
"""The `width` that gives the paper's network (`logmel`: one of about soundnet5's size)."""

RESPLIT_DATASETS: frozenset[DatasetName] = frozenset({"speech_commands"})
IMAGE_DEFENCES: frozenset[DefenceName] = frozenset({"feature_squeezing", "random_resize_pad"})
RELU_DEFENCES: frozenset[DefenceName] = frozenset({"defensive_quantization", "stochastic_activation_pruning"})
"""The defences that act on the outputs of ReLUs."""


def require_fitting(dataset: DatasetName, model: ModelName) -> None:
    """Check that the model takes what the data set holds.

    Raises:
        ValueError: it does not; the message names the models that do.
    """
    kind = DATASET_KINDS[dataset]
    if MODEL_KINDS[model] != kind:
        fitting = ", ".join(sorted(name for name in MODEL_KINDS if MODEL_KINDS[name] == kind))
        raise ValueError(f"name={model}: takes {MODEL_KINDS[model]} inputs, and {dataset} is {kind}; one of {fitting}")


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


def require_augmentable(dataset: DatasetName, *, horizontal_flip: bool, crop_padding: int | None) -> None:
    """Check that examples are mirrored and cropped only where they are images, and that a crop leaves something to see.

    Raises:
        ValueError: waveforms would be mirrored in time or cropped, or a crop could miss the image altogether.
    """
    kind = DATASET_KINDS[dataset]
    if horizontal_flip and kind != "image":
        raise ValueError(f"horizontal_flip=true: {dataset} is {kind}, and only images are flipped; must be false")
    if crop_padding is None:
        return
    if kind != "image":
        raise ValueError(f"crop_padding={crop_padding}: {dataset} is {kind}, and only images are cropped; must be null")
    if crop_padding >= IMAGE_SIDE:
        raise ValueError(f"crop_padding={crop_padding}: sides are of {IMAGE_SIDE} pixels; must be in [1, {IMAGE_SIDE - 1}], or null")


def require_defensible(defence: DefenceName, dataset: DatasetName, *, binary: bool) -> None:
    """Check that the defence has something to act on: images, or the ReLUs that a binary network lacks.

    Raises:
        ValueError: it has not.
    """
    if defence in IMAGE_DEFENCES and DATASET_KINDS[dataset] != "image":
        raise ValueError(f"name={defence}: changes images, and {dataset} is {DATASET_KINDS[dataset]}; {_others(IMAGE_DEFENCES)}")
    if defence in RELU_DEFENCES and binary:
        raise ValueError(f"name={defence} with binary=true: acts on ReLUs, and signs have taken their place; {_others(RELU_DEFENCES)}")


def _others(excluded: frozenset[DefenceName]) -> str:
    return f"one of {', '.join(name for name in get_args(DefenceName) if name not in excluded)}"


def require_lists(datasets: Iterable[DatasetName], lists: Iterable[str]) -> None:
    """Check that another pair of split lists is asked for only where there is one.

    Raises:
        ValueError: a data set has its official split only.
    """
    single = sorted(set(datasets) - RESPLIT_DATASETS)
    if single and "resplit" in lists:
        raise ValueError(f"{single[0]} has one split; only {', '.join(sorted(RESPLIT_DATASETS))} takes split_lists=resplit")
