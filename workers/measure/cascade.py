"""Outcomes of attacks that follow each other: survivors among all examples, and the worst of several attacks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def among_all(correct: NDArray[np.bool_], left: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return flags of all examples, (draws, examples), from those of the ones that are `left`, (draws, left): the others are not right."""
    whole = np.zeros((correct.shape[0], len(left)), dtype=bool)
    whole[:, left] = correct
    return whole


def worst_attack(correct: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return the flags of the attack that harms each example most, (draws, examples), from those of each attack, of the same shape.

    With several draws the attack is chosen for each of them by the others, and is scored on that one: choosing and scoring by the same
    draws would reward luck.
    """
    flags = np.stack(correct)
    draws = flags.shape[1]
    others = flags.sum(axis=1, keepdims=True) - flags
    worst: NDArray[np.bool_] = np.take_along_axis(flags, others.argmin(axis=0)[None], axis=0)[0]
    return worst if draws > 1 else np.logical_and.reduce(flags, axis=0)
