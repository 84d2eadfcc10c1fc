"""Which data sets and networks go together, known without torch, so that a space file can be refused before anything runs."""

from collections.abc import Iterable
from typing import Literal

from workers.fields import DatasetName, Draws, ModelName

Kind = Literal["audio", "image"]

DATASET_KINDS: dict[DatasetName, Kind] = {"cifar10": "image", "digits": "image", "speech_commands": "audio", "tones": "audio"}
MODEL_KINDS: dict[ModelName, Kind] = {"logmel": "audio", "resnet18": "image", "soundnet5": "audio"}
PAPER_WIDTHS: dict[ModelName, int] = {"logmel": 16, "resnet18": 64, "soundnet5": 16}
"""The `width` that gives the paper's network (`logmel`: one of about soundnet5's size)."""

RESPLIT_DATASETS: frozenset[DatasetName] = frozenset({"speech_commands"})


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


def require_flippable(dataset: DatasetName, *, horizontal_flip: bool) -> None:
    """Check that examples are mirrored only where they are images.

    Raises:
        ValueError: waveforms would be mirrored in time.
    """
    if horizontal_flip and DATASET_KINDS[dataset] != "image":
        raise ValueError(f"horizontal_flip=true: {dataset} is {DATASET_KINDS[dataset]}, and only images are flipped; must be false")


def require_lists(datasets: Iterable[DatasetName], lists: Iterable[str]) -> None:
    """Check that another pair of split lists is asked for only where there is one.

    Raises:
        ValueError: a data set has its official split only.
    """
    single = sorted(set(datasets) - RESPLIT_DATASETS)
    if single and "resplit" in lists:
        raise ValueError(f"{single[0]} has one split; only {', '.join(sorted(RESPLIT_DATASETS))} takes split_lists=resplit")
