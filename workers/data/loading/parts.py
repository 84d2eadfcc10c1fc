"""Parts of a data set that a spec names: what it trains on, what is held out for choices, and what is reported."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workers.data.loading.source import Dataset, Split, balanced_subset
from workers.errors import DataError, UserError
from workers.spec.component import DataSpec
from workers.spec.fields import HeldOut

_SEED = 0
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Division:
    """Places in a training split, in its order: of the examples to train on, and of those held out."""

    train: Places
    validation: Places


def held_out_of(labels: NDArray[np.int64], asked: HeldOut, *, name: str) -> Division:
    """Divide a training split; every seed and every training has the same division.

    The examples are put in a fixed random order, in which the classes then take turns: those held out are as class-balanced as the split
    allows, and a longer set of them contains a shorter one.

    Args:
        labels: (examples,), of the whole training split.
        asked: the number to hold out, or their share of all, rounded up.
        name: of the data set, for the message.

    Raises:
        DataError: nothing would be left to train on.
    """
    count = number_held_out(asked, len(labels))
    if count >= len(labels):
        raise DataError(f"validation_examples={asked}: {name} has {len(labels)} training examples, and some must be left to train on")
    # The legacy generator: NumPy keeps its streams from version to version.
    order: Places = np.random.RandomState(_SEED).permutation(len(labels))
    chosen = order[balanced_subset(labels[order], count)]
    kept = np.ones(len(labels), dtype=bool)
    kept[chosen] = False
    return Division(kept.nonzero()[0], np.sort(chosen))


def number_held_out(asked: HeldOut, available: int) -> int:
    """Return the number of examples that are held out of so many, given as a number or a share (rounded up)."""
    return asked if isinstance(asked, int) else -int(-Fraction(str(asked)) * available // 1)


Part = Literal["test", "train", "validation"]


def part_of(dataset: Dataset, data: DataSpec, part: Part) -> tuple[Split, Places | None]:
    """Return the split that a part lies in, and the places of its examples there (None: it is all of it).

    Args:
        dataset: as it was read.
        data: says what is held out of training.
        part: `train` is without what is held out, `validation` is that, or the data set's own validation split.

    Raises:
        DataError: nothing would be left to train on.
        UserError: there is nothing to validate on, or less than is asked for.
    """
    if part == "test":
        return dataset.test, None
    if data.validation_examples == 0:
        if part == "validation":
            raise UserError(f"validation_examples=0: nothing of {data.name} is held out to measure on; give data.validation_examples")
        return dataset.train, None
    if (own := dataset.validation) is not None:
        return (dataset.train, None) if part == "train" else (own, _first(own, data))
    division = held_out_of(dataset.train.labels, data.validation_examples, name=data.name)
    return dataset.train, division.train if part == "train" else division.validation


def _first(own: Split, data: DataSpec) -> Places | None:
    """Return the places of a data set's own validation examples: of all, or of the first so many of the class-balanced order."""
    if isinstance(data.validation_examples, float):
        return None
    if data.validation_examples > len(own):
        raise UserError(f"validation_examples={data.validation_examples}: {data.name}'s own validation split has {len(own)} examples")
    return own.places(data.validation_examples)
