"""Paired test of whether one attack is stronger than another on the same examples, beyond chance."""

from math import erfc, lcm, sqrt

import numpy as np
from numpy.typing import NDArray

from orchestrator.statistics.shared_luck import Luck, SharedDraws, Shares, shared_luck
from orchestrator.statistics.verdict.evidence import Repeats

_MOST_EXACT = 400
"""Most examples with a difference between two attacks for an exact test; beyond, the normal approximation differs in no figure shown."""


def chance_of_gain(reference: Repeats, challenger: Repeats, *, batch: int | None = None) -> float:
    """Return the probability of a gain as large as the challenger's if it is no stronger than the reference: a one-sided p-value in [0, 1].

    Both are flags of the same examples, for each repeat (draws, examples): what counts is each example's share of evaluations in which
    it was still right. Two sources of randomness are tested, and the larger p-value is returned.

    The choice of examples: a sign-flip permutation test on the examples' differences (Fisher, 1935), exact; for one evaluation each it
    is McNemar's exact test. The draws that the examples of a `batch` (None: all) share, when they are attacked and when they are evaluated:
    Welch's t-test with the variances of the mean over examples and of the shared luck (`shared_luck`), degrees of freedom by
    Satterthwaite (1946); left out for one evaluation each.

    Raises:
        ValueError: not over the same examples.
    """
    sides = [np.concatenate(repeats) for repeats in (reference, challenger)]
    if sides[0].shape[1:] != sides[1].shape[1:]:
        raise ValueError(f"flags of shapes {sides[0].shape} and {sides[1].shape}: must be over the same examples")
    gains = sides[0].mean(axis=0) - sides[1].mean(axis=0)
    by_examples = _sign_flips(gains, denominator=lcm(*map(len, sides)))
    if all(len(side) == 1 for side in sides):
        return by_examples
    draws = SharedDraws(batch=batch, crafted=True)
    return max(by_examples, _by_luck(gains, [shared_luck(_shares(side), draws, repeats=len(side)) for side in (reference, challenger)]))


def _sign_flips(gains: NDArray[np.float64], *, denominator: int) -> float:
    """Return the share of sign patterns under which the sum of the gains is at least the observed one."""
    weights = np.rint(gains * denominator).astype(np.int64)
    weights = weights[weights != 0]
    total = int(weights.sum())
    if len(weights) == 0:
        return 1.0
    if len(weights) > _MOST_EXACT:
        return erfc(total / sqrt(2 * float((weights.astype(float) ** 2).sum()))) / 2
    # Flipping the sign of w takes 2w off the largest sum: count the ways to take off no more than leaves the total.
    sizes = np.abs(weights)
    spare = (int(sizes.sum()) - total) // 2
    ways = np.zeros(spare + 1)
    ways[0] = 1.0
    for size in sizes:
        moved = np.zeros_like(ways)
        moved[size:] = ways[: len(ways) - size] if size <= spare else 0
        ways = (ways + moved) / 2
    return float(min(1.0, ways.sum()))


def _shares(repeats: Repeats) -> Shares:
    """Return the share of right evaluations in each repeat, or in each draw of a single one, (clusters, examples)."""
    means: Shares = np.stack([flags.mean(axis=0) for flags in repeats]) if len(repeats) > 1 else repeats[0].astype(np.float64)
    return means


def _by_luck(gains: NDArray[np.float64], lucks: list[Luck]) -> float:
    """Return Welch's p-value of the mean gain over everything that varies: examples, and each side's draws."""
    parts = [(luck.variance, luck.freedom) for luck in lucks]
    if gains.size > 1:
        parts.append((float(gains.var(ddof=1)) / gains.size, gains.size - 1.0))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return 0.0 if gains.mean() > 0 else 1.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    from scipy.special import stdtr  # here: a plan does without SciPy

    return float(stdtr(freedom, -gains.mean() / sqrt(variance)))
