"""Accuracy that is left when, for each example, the attack is used that harms it most: an ensemble figure, as AutoAttack's."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Scores = NDArray[np.float64]
CorrectCounts = NDArray[np.float32]
_EQUAL = 1e-6
"""Attacks whose expected scores differ by less seem equally harmful."""


def worst_case(attacks: Sequence[Flags], *, randomised: bool) -> Scores | None:
    """Return the probability that each example is classified right under the attack that harms it most, (folds, 1, examples), in [0, 1].

    A deterministic net is fooled by an example that fools it once: what counts is whether any attack, in any repeat, did (one fold).

    On a randomised net the smallest of several noisy estimates would reward lucky draws. The attack is therefore chosen for each
    example by all evaluations but one fold's, and scored on that fold alone, each fold in turn (cross-fitting, as Chernozhukov et
    al. 2018 use it): what is measured is what an attacker who can try the net before reaches, and no evaluation is used for both.
    The estimate from the other folds for one example is shrunk towards that for all, by as much as it is noise (empirical Bayes,
    Efron & Morris 1975): else a strong attack would lose examples to a weak one by chance. Attacks that seem equally harmful count by
    their mean. Folds are the repeats, or the draws where there is one repeat. Where few folds choose worse than they would by always
    taking the strongest attack, that attack is the worst case: an ensemble is no weaker than its parts.

    Args:
        attacks: for each attack on the same examples, true where one was classified right, (repeats, draws, examples).
        randomised: true where the net's forward passes are random.

    Returns:
        None where a randomised net was evaluated only once under one of the attacks: nothing would be left to score on.

    Raises:
        ValueError: no attacks, or not on the same number of examples.
    """
    if not attacks or len({flags.shape[2] for flags in attacks}) != 1:
        raise ValueError(f"attacks of shapes {[flags.shape for flags in attacks]}: must be one or more, over the same examples")
    if not randomised:
        right: Flags = np.logical_and.reduce([flags.all(axis=(0, 1)) for flags in attacks])
        return right.astype(np.float64)[None, None]
    folds = min(flags.shape[0] for flags in attacks)
    by_repeat = folds > 1
    if not by_repeat:
        folds = min(flags.shape[0] * flags.shape[1] for flags in attacks)
    if folds == 1:
        return None
    split = [_by_fold(flags, folds, by_repeat=by_repeat) for flags in attacks]
    return _cross_fitted(np.stack([right for right, _ in split]), np.stack([counts for _, counts in split]))[:, None]


def _by_fold(flags: Flags, folds: int, *, by_repeat: bool) -> tuple[CorrectCounts, CorrectCounts]:
    """Return for each fold the number of times that each example was right, (folds, examples), and of how many, (folds,)."""
    units = flags if by_repeat else flags.reshape(-1, 1, flags.shape[2])
    right = np.stack([units[fold::folds].sum(axis=(0, 1), dtype=np.int32) for fold in range(folds)])
    counts = [units[fold::folds].shape[0] * units.shape[1] for fold in range(folds)]
    return right.astype(np.float32), np.array(counts, dtype=np.float32)


def _cross_fitted(right: CorrectCounts, counts: CorrectCounts) -> Scores:
    """Return the score of each fold under the attack that the other folds choose, (folds, examples), from (attacks, folds, examples) and
    (attacks, folds); or, where that is lower, under the attack that is the strongest of all."""
    totals, evaluations = right.sum(axis=1), counts.sum(axis=1, keepdims=True) - counts
    trust = _trust(totals, counts.sum(axis=1), evaluations)
    everywhere = (totals.mean(axis=1, keepdims=True) - right.mean(axis=2)) / evaluations
    scores = np.empty(right.shape[1:])
    for fold in range(right.shape[1]):  # fold by fold: the arrays in use stay in the cache
        weight, rest = (trust / evaluations)[:, fold, None], ((1 - trust) * everywhere)[:, fold, None]
        expected = rest + weight * (totals - right[:, fold])
        chosen = expected <= expected.min(axis=0) + _EQUAL
        scores[fold] = (chosen * (right[:, fold] / counts[:, fold, None])).sum(axis=0) / chosen.sum(axis=0)
    alone = (right.mean(axis=2) / counts).mean(axis=1)
    strongest: Scores = (right[alone.argmin()] / counts[alone.argmin(), :, None]).astype(np.float64)
    return strongest if strongest.mean() < scores.mean() else scores


def _trust(totals: CorrectCounts, total: CorrectCounts, evaluations: CorrectCounts) -> CorrectCounts:
    """Return the share, in [0, 1], of an example's mean over so many `evaluations`, (attacks, folds), that is its own, and not noise.

    The variance of a mean is the examples' own and the p(1 - p) / evaluations that single evaluations add.

    Args:
        totals: number of times that each example was right, (attacks, examples), of `total` times.
        total: number of evaluations of each example, (attacks,).
        evaluations: number of evaluations without each fold.
    """
    means = totals / total[:, None]
    single = (means * (1 - means)).mean(axis=1) * total / (total - 1)
    own = np.maximum(means.var(axis=1) - single / total, 0)[:, None]
    with np.errstate(invalid="ignore"):
        trust: CorrectCounts = np.nan_to_num(own / (own + single[:, None] / evaluations))
    return trust
