"""Outcomes of several attacks as one: survivors among all examples, the worst of several attacks, the shards of one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workers.artifacts.outcomes import FlagsOutcome
from workers.artifacts.per_example import PerExample, Spent
from workers.errors import UserError


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


def most_harmful(correct: Sequence[NDArray[np.bool_]], margins: Sequence[NDArray[np.float64] | None]) -> NDArray[np.intp]:
    """Return for each example the place of the attack under which it is right in the least share of evaluations, of those the one with the
    smallest margin, (examples,).

    Args:
        correct: flags of each attack, (evaluations, examples); numbers of evaluations may differ.
        margins: of each attack, (examples,); None where they are not known, which counts as the largest.
    """
    shares = np.stack([flags.mean(axis=0) for flags in correct])
    known = [np.full(shares.shape[1], np.inf) if found is None else np.nan_to_num(found, nan=-np.inf) for found in margins]
    chosen: NDArray[np.intp] = np.lexsort((np.stack(known), shares), axis=0)[0]
    return chosen


def numbers_among_all(numbers: PerExample, before: PerExample | None, left: NDArray[np.bool_]) -> PerExample | None:
    """Return numbers of all examples: of those that were `left`, (examples,), the ones given, of the others those of the attacks before;
    None where these are not known."""
    if before is None:
        return None
    places = np.zeros(len(left), dtype=np.intp)
    places[left] = np.arange(int(left.sum()))
    return PerExample.picked([before, numbers.at(places)], left.astype(np.intp))


def worst_numbers(correct: Sequence[NDArray[np.bool_]], numbers: Sequence[PerExample | None]) -> PerExample | None:
    """Return of each example the numbers of the attack that harms it most (see `most_harmful`); None where some are not known."""
    known = [found for found in numbers if found is not None]
    if len(known) < len(numbers):
        return None
    return PerExample.picked(known, most_harmful(correct, [found.arrays[1] for found in known]))


def one_after_the_other(shards: Sequence[FlagsOutcome], *, examples: int | None) -> FlagsOutcome:
    """Return the outcome over the examples of all shards, in their order. Metrics are left out: a median cannot be joined.

    Args:
        shards: of equally many draws.
        examples: that there must be in all.

    Raises:
        UserError: there are others.
    """
    correct = np.concatenate([shard.correct() for shard in shards], axis=1)
    if correct.shape[1] != examples:
        raise UserError(f"{len(shards)} shards of {correct.shape[1]} examples in all: must be {examples}")
    numbers = [shard.examples for shard in shards if shard.examples is not None]
    examples_of_all = PerExample.joined(numbers) if len(numbers) == len(shards) else None
    return FlagsOutcome.pack(correct, examples=examples_of_all, spent=_in_all([shard.spent for shard in shards]))


def _in_all(spent: Sequence[Spent | None]) -> Spent | None:
    """Return what the shards cost together; None where it is not known of each."""
    known = [found for found in spent if found is not None]
    if len(known) < len(spent):
        return None
    return Spent(**{name: sum(getattr(found, name) for found in known) for name in Spent.model_fields})
