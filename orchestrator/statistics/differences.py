"""Comparison of measured figures: the difference of two accuracies over the same examples, and how far intervals stand apart."""

from collections.abc import Iterable
from math import sqrt

from orchestrator.statistics.intervals import ConfidenceInterval, Correct, cluster_shares, residual_variance
from orchestrator.statistics.shared_luck import Luck, SharedDraws, shared_luck
from orchestrator.statistics.student import NORMAL_QUANTILE

_USUAL = 0.975  # the probability of `NORMAL_QUANTILE`
_ALL = SharedDraws(), SharedDraws()


def paired_difference(
    before: Correct, after: Correct, draws: tuple[SharedDraws, SharedDraws] = _ALL, *, confidence: float = 0.95
) -> ConfidenceInterval:
    """Return the accuracy `after` minus that `before` over the same examples, with its confidence interval, in [-1, 1]:
    `(difference, low, high)` with `low <= difference <= high`.

    Both sides evaluate the same examples, easy ones and hard ones, so that only how they differ example by example counts. The interval
    is Bonett and Price's (2012, "Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on Paired Data"):
    one example more that only the one side has right, and one that only the other has, so that no difference on few examples is
    not mistaken for none on all. Instead of right or wrong an example has its share of right evaluations.

    Examples of one repeat share its draws: as in `accuracy_interval` the variance is clustered by examples and by the repeats of each
    side (of one repeat: its draws) and their batches, which are independent of the other side's; what both clusterings count is taken
    off once. The quantile is Student's t with Satterthwaite's (1946) degrees of freedom. A side that draws, but was evaluated only once,
    does not show how its draws differ, and the interval does not cover that.

    Args:
        before: (repeats, draws, examples), true where an example was classified right in a draw of a repeat.
        after: likewise, on the same examples; repeats and draws may be others.
        draws: what shares a draw, on each side.
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: not three-dimensional, empty, or not of as many examples.
    """
    sides = cluster_shares(before), cluster_shares(after)
    examples = sides[0].shape[1]
    if sides[1].shape[1] != examples:
        raise ValueError(f"{examples} examples before and {sides[1].shape[1]} after: must be the same")
    gains = sides[1].mean(axis=0) - sides[0].mean(axis=0)
    difference = float(gains.mean())
    centre = float(gains.sum()) / (examples + 2)
    by_example = (float((gains**2).sum() + 2) / (examples + 2) - centre**2) / (examples + 2)
    lucks = [shared_luck(side, of_side, repeats=len(correct)) for side, of_side, correct in zip(sides, draws, (before, after), strict=True)]
    drawn, single = float(sum(luck.variance for luck in lucks)), float(sum(residual_variance(side) for side in sides))
    variance = max(by_example + drawn - single, by_example, drawn)
    margin = _quantile(variance, lucks, (1 + confidence) / 2) * sqrt(variance)
    return difference, max(-1.0, min(difference, centre - margin)), min(1.0, max(difference, centre + margin))


def _quantile(variance: float, lucks: list[Luck], probability: float) -> float:
    """Return Student's quantile with the degrees of freedom of each side's draws; the examples' part, which the two added examples
    make wide enough for few, is assumed to be known."""
    uncertainty = sum(luck.variance**2 / luck.freedom for luck in lucks)
    if uncertainty == 0 and probability == _USUAL:
        return NORMAL_QUANTILE
    from scipy.special import ndtri, stdtrit  # here: a plan does without SciPy

    return float(stdtrit(variance**2 / uncertainty, probability) if uncertainty > 0 else ndtri(probability))


SeparableFigure = tuple[float, float | None, float | None]
"""A figure with the ends of its interval, where they are known."""


def separation(figures: Iterable[SeparableFigure]) -> int:
    """Return 2 where the intervals of some two figures do not meet, 1 where only their values differ, else 0; of no figures 0."""
    found = list(figures)
    if not found:
        return 0
    lows = [value if low is None else low for value, low, _ in found]
    highs = [value if high is None else high for value, _, high in found]
    return 2 if max(lows) > min(highs) else int(len({value for value, *_ in found}) > 1)
