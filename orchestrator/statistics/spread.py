"""Components of the uncertainty of an accuracy: the choice of examples, the randomness of draws, that of training."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from orchestrator.statistics.intervals import Correct, cluster_shares, seed_shares, variance_of_mean
from orchestrator.statistics.shared_luck import Shares


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Standard errors of an accuracy, in its units: how far it would move with other examples, with other draws (of sketches, and of
    the attack), with other training seeds, all else being equal. None where the measurements do not determine it."""

    se_examples: float | None = None
    se_draws: float | None = None
    se_seeds: float | None = None


def standard_errors(by_seed: Sequence[Correct], *, random: bool) -> Spread:
    """Return the standard errors of the mean accuracy by their sources.

    They are the components of a two-way random-effects analysis of variance of examples against repeats (of one repeat: its draws),
    or against training seeds where there are several (Searle, Casella & McCulloch, 1992, "Variance Components"): with the
    examples fixed the clusters' means are independent, so that their variance is all that draws and seeds do; the examples' part
    is the variance of the examples' means less what the draws add to it, which the residual estimates without bias whether examples
    share a draw or not. A part that is estimated below 0 is 0.

    Args:
        by_seed: one array (repeats, draws, examples) for each training seed, over the same examples.
        random: true where anything about the measurement is random. If so a single draw determines neither part; if not it determines
            both. In a single repeat of several draws the randomness of the attack is part of the examples', which it perturbed once.

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
    """Return the parts of one trained model's uncertainty, from its shares (clusters, examples)."""
    if len(shares) > 1:
        return Spread(se_examples=_examples_error(shares), se_draws=sqrt(variance_of_mean(shares.mean(axis=1))))
    return Spread() if random else Spread(se_examples=_examples_error(shares), se_draws=0.0)


def _examples_error(shares: Shares) -> float | None:
    """Return the examples' part from shares (clusters, examples); None for a single example."""
    clusters, examples = shares.shape
    if examples == 1:
        return None
    means = shares.mean(axis=0)
    residual = 0.0
    if clusters > 1:
        left = shares - means - shares.mean(axis=1, keepdims=True) + shares.mean()
        residual = float((left**2).sum()) / ((clusters - 1) * (examples - 1))
    return sqrt(max(0.0, variance_of_mean(means) - residual / (clusters * examples)))
