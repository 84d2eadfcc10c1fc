"""What the uncertainty of an accuracy is made of: the choice of examples, the luck of draws, the luck of training."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from orchestrator.statistics.intervals import Correct, Shares, cluster_shares, seed_shares, variance_of_mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Standard errors of an accuracy, in its units: how far it would move with other examples, with other draws (of sketches, and of
    the attack), with other training seeds, all else being as it is. None where that cannot be known from what was measured."""

    se_examples: float | None = None
    se_draws: float | None = None
    se_seeds: float | None = None


def standard_errors(by_seed: Sequence[Correct], *, random: bool) -> Spread:
    """The standard errors of the mean accuracy by their sources.

    They are the components of a two-way random-effects analysis of variance of examples against repeats (of one repeat: its draws),
    or against training seeds where there are several (Searle, Casella & McCulloch, 1992, "Variance Components"): with the
    examples fixed the clusters' means are independent, so that their variance is all that draws and seeds do; the examples' part
    is the variance of the examples' means less what the draws put into it, which the residual tells without bias whether examples
    share a draw or not. What is left below 0 by the luck of an estimate is 0.

    Args:
        by_seed: one array (repeats, draws, examples) for each training seed, over the same examples.
        random: whether anything about the measurement is random. If so a single draw tells neither part; if not it tells both.
            In a single repeat of several draws the luck of the attack is the examples', whose adversarial examples it made.

    Raises:
        ValueError: an array is not three-dimensional, or empty, or of other examples.
    """
    parts = [_within(cluster_shares(correct), random=random) for correct in by_seed]
    if len(parts) == 1:
        return parts[0]
    shares = seed_shares(by_seed)
    draws = [part.se_draws for part in parts if part.se_draws is not None]
    if len(draws) < len(parts):
        return Spread(se_examples=_examples_error(shares))
    drawn = sum(error**2 for error in draws) / len(parts) ** 2
    seeds = sqrt(max(0.0, variance_of_mean(shares.mean(axis=1)) - drawn))
    return Spread(se_examples=_examples_error(shares), se_draws=sqrt(drawn), se_seeds=seeds)


def _within(shares: Shares, *, random: bool) -> Spread:
    """The parts of one trained model's uncertainty, from its shares (clusters, examples)."""
    if len(shares) > 1:
        return Spread(se_examples=_examples_error(shares), se_draws=sqrt(variance_of_mean(shares.mean(axis=1))))
    return Spread() if random else Spread(se_examples=_examples_error(shares), se_draws=0.0)


def _examples_error(shares: Shares) -> float | None:
    """The examples' part from shares (clusters, examples); None for a single example."""
    clusters, examples = shares.shape
    if examples == 1:
        return None
    means = shares.mean(axis=0)
    residual = 0.0
    if clusters > 1:
        left = shares - means - shares.mean(axis=1, keepdims=True) + shares.mean()
        residual = float((left**2).sum()) / ((clusters - 1) * (examples - 1))
    return sqrt(max(0.0, variance_of_mean(means) - residual / (clusters * examples)))
