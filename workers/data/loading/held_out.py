"""Examples of a training split that are held out of training, for choices: which ones depends on the data set alone."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from workers.data.loading.source import balanced_subset
from workers.errors import DataError
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
