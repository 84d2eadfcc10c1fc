"""Confidence intervals for accuracies over a fixed set of examples and a few repeats, each repeat with its own sketches."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from orchestrator.statistics.shared_luck import Luck, SharedDraws, Shares, shared_luck

_NORMAL = 1.959963984540054  # the standard normal's 97.5 % quantile
_DIMENSIONS = 3

Correct = NDArray[np.bool_] | Shares
"""Flags of right evaluations, or their probabilities."""
ConfidenceInterval = tuple[float, float, float]


def accuracy_interval(correct: Correct, draws: SharedDraws = SharedDraws()) -> ConfidenceInterval:  # noqa: B008 (a frozen value)
    """Return mean and 95 % confidence interval of an accuracy, all in [0, 1]: `(mean, low, high)` with `low <= mean <= high`.

    An example is right in one repeat because it is an easy one, or because the repeat drew a good sketch: neither the flags of
    an example nor those of a repeat are independent. The draws of a repeat share its adversarial examples, so that they are averaged
    first, and what is clustered are examples and repeats, these by batches that share draws (see `shared_luck`). The variance of the
    mean is therefore the two-way clustered one (Cameron, Gelbach & Miller 2011, "Robust Inference With Multiway Clustering"),
    V = V_examples + V_repeats - V_single, where V_single is what both count, the randomness of single evaluations: the residual of the
    two-way analysis of variance. It is at least that of either clustering alone. The interval is Wilson's (1927, "Probable Inference,
    the Law of Succession, and Statistical Inference") with the effective sample size p(1 - p)/V (Korn & Graubard 1998, "Confidence
    intervals for proportions with small expected number of positive counts estimated from survey data"), at most the number of flags;
    where there is no variance to go by it is the number of examples. Since few repeats show little of how repeats differ, the quantile
    is Student's t with Satterthwaite's (1946) degrees of freedom of V.

    With one repeat its draws take the repeats' place, and the luck of the attack is taken to be that of one draw. With one draw too the
    interval says nothing about how draws differ. In simulations it covers the true accuracy in 93 % of cases or more from three repeats
    (or draws of one) on, however much they differ; in 88 % or more with two that are one batch each.

    Args:
        correct: (repeats, draws, examples), true where an example was classified right in a draw of a repeat.
        draws: what shares a draw.

    Raises:
        ValueError: not three-dimensional, or empty.
    """
    shares = cluster_shares(correct)
    return _interval(shares, shared_luck(shares, draws, repeats=len(correct)), flags=correct.size)


def interval_over_seeds(by_seed: Sequence[Correct], draws: SharedDraws = SharedDraws()) -> ConfidenceInterval:  # noqa: B008
    """Return mean and 95 % confidence interval of the accuracy of a model trained from any seed, as `accuracy_interval` has them.

    Trained models are the clusters, each with the mean over its repeats and draws: what those contribute to the variance of the
    mean is in how the models' means differ. Every model counts alike, however often it was measured.

    Args:
        by_seed: one array (repeats, draws, examples) for each training seed, over the same examples; a single one is
            `accuracy_interval`'s.
        draws: what shares a draw.

    Raises:
        ValueError: an array is not three-dimensional, or empty, or of other examples; or there is none.
    """
    if len(by_seed) == 1:
        return accuracy_interval(by_seed[0], draws)
    shares = seed_shares(by_seed)
    return _interval(shares, shared_luck(shares, SharedDraws(), repeats=len(shares)), flags=sum(correct.size for correct in by_seed))


def cluster_shares(correct: Correct) -> Shares:
    """Return the share of right evaluations in each independent cluster, (clusters, examples): in each repeat, or in each draw of a
    single repeat.

    Raises:
        ValueError: `correct` is not (repeats, draws, examples), or empty.
    """
    if correct.ndim != _DIMENSIONS or correct.size == 0:
        raise ValueError(f"correct of shape {correct.shape}: must be (repeats, draws, examples), none of them 0")
    shares: Shares = correct.mean(axis=1) if len(correct) > 1 else correct[0].astype(np.float64)
    return shares


def seed_shares(by_seed: Sequence[Correct]) -> Shares:
    """Return the share of right evaluations of each example by each training seed's model, (seeds, examples).

    Raises:
        ValueError: see `interval_over_seeds`.
    """
    return np.stack([cluster_shares(correct).mean(axis=0) for correct in by_seed])


def _interval(shares: Shares, luck: Luck, *, flags: int) -> ConfidenceInterval:
    """Return the interval for shares (clusters, examples) that are means of so many `flags` in all."""
    examples = shares.shape[1]
    mean = float(shares.mean())
    by_example = variance_of_mean(shares.mean(axis=0))
    variance = max(by_example + luck.variance - residual_variance(shares), by_example, luck.variance)
    if mean in (0.0, 1.0) or variance == 0:
        return mean, *_wilson(mean, size=examples, quantile=_NORMAL)
    # Satterthwaite: the rest of V has examples - 1 degrees of freedom.
    uncertainty = luck.variance**2 / luck.freedom + (variance - luck.variance) ** 2 / max(examples - 1, 1)
    from scipy.special import stdtrit  # here: a plan does without SciPy

    quantile = float(stdtrit(variance**2 / uncertainty, 0.975))
    return mean, *_wilson(mean, size=min(mean * (1 - mean) / variance, flags), quantile=quantile)


def variance_of_mean(values: Shares) -> float:
    """Return the variance of the mean of independent values; 0 for a single one, which shows none."""
    return float(values.var(ddof=1)) / values.size if values.size > 1 else 0.0


def residual_variance(shares: Shares) -> float:
    """Return the part that both the variance of the mean by examples and that by clusters count, from shares (clusters, examples): the
    randomness of single evaluations; the residual of the two-way analysis of variance."""
    clusters, examples = shares.shape
    if clusters == 1 or examples == 1:
        return 0.0
    left = shares - shares.mean(axis=0) - shares.mean(axis=1, keepdims=True) + shares.mean()
    return float((left**2).sum() / ((clusters - 1) * (examples - 1) * left.size))


def _wilson(mean: float, *, size: float, quantile: float) -> tuple[float, float]:
    shrink = 1 + quantile**2 / size
    centre = (mean + quantile**2 / (2 * size)) / shrink
    margin = quantile / shrink * sqrt(mean * (1 - mean) / size + quantile**2 / (4 * size**2))
    return max(0.0, min(mean, centre - margin)), min(1.0, max(mean, centre + margin))
