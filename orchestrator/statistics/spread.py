"""Components of the uncertainty of an accuracy: the choice of examples, the randomness of draws, that of training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.statistics.intervals import Correct, cluster_shares, residual_square, seed_shares, stacked, variance_of_mean
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
    return standard_errors_of_each([(by_seed, random)])[0]


def standard_errors_of_each(measured: Iterable[tuple[Sequence[Correct], bool]]) -> list[Spread]:
    """Return the standard errors of each mean accuracy, as `standard_errors` does of one: of many in a fraction of the time.

    Raises:
        ValueError: see `standard_errors`.
    """
    known = list(measured)
    parts = iter(_within([(cluster_shares(correct), random) for by_seed, random in known for correct in by_seed]))
    of_each = [[next(parts) for _ in by_seed] for by_seed, _ in known]
    return [own[0] if len(own) == 1 else _between(seed_shares(by_seed), own) for (by_seed, _), own in zip(known, of_each, strict=True)]


def _between(shares: Shares, parts: Sequence[Spread]) -> Spread:
    """Return the parts of the uncertainty over training seeds, from their shares (seeds, examples) and the parts of each."""
    examples = _examples_errors(shares[None])[0]
    draws = [part.se_draws for part in parts if part.se_draws is not None]
    if len(draws) < len(parts):
        return Spread(se_examples=examples)
    drawn = sum(error**2 for error in draws) / len(parts) ** 2
    seeds = max(0.0, float(variance_of_mean(shares.mean(axis=1))) - drawn)
    return Spread(se_examples=examples, se_draws=float(np.sqrt(drawn)), se_seeds=float(np.sqrt(seeds)))


def _within(models: Sequence[tuple[Shares, bool]]) -> list[Spread]:
    """Return the parts of each trained model's uncertainty, from its shares (clusters, examples) and whether anything is random."""
    found: dict[int, Spread] = {}
    for random, places, shares in stacked([(random, shares) for shares, random in models]):
        if random and shares.shape[1] == 1:
            found |= dict.fromkeys(places, Spread())
            continue
        drawn = np.sqrt(variance_of_mean(shares.mean(axis=-1))).tolist()
        for place, examples, draws in zip(places, _examples_errors(shares), drawn, strict=True):
            found[place] = Spread(se_examples=examples, se_draws=draws)
    return [found[place] for place in range(len(models))]


def _examples_errors(shares: Shares) -> list[float] | list[None]:
    """Return the examples' parts from shares (groups, clusters, examples); None for a single example."""
    groups, clusters, examples = shares.shape
    if examples == 1:
        return [None] * groups
    variance = variance_of_mean(shares.mean(axis=-2)) - residual_square(shares) / (clusters * examples)
    errors: list[float] = np.sqrt(variance.clip(min=0)).tolist()
    return errors
