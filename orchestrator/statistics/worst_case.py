"""Accuracy that is left when, for each example, the attack is used that harms it most: an ensemble figure, as AutoAttack's."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Scores = NDArray[np.float64]
CorrectCounts = NDArray[np.float32]
FEWEST_FOLDS = 2
"""Fewest evaluations of a randomised net between which the worst attack can be chosen and scored."""
_EQUAL = 1e-6
"""Attacks whose expected scores differ by less seem equally harmful."""
_ROUNDING = 1e-9
"""More than the rounding of a mean of scores."""


def worst_case(attacks: Sequence[Flags], *, randomised: bool, more: Sequence[Flags] = ()) -> Scores | None:
    """Return the probability that each example is classified right under the attack that harms it most, in [0, 1], by repeats and draws:
    (folds, 1, examples), or (1, folds, examples) where folds are the draws of one repeat.

    A deterministic net is fooled by an example that fools it once: what counts is whether any attack, in any repeat, did (one fold).

    On a randomised net the smallest of several noisy estimates would reward lucky draws. The attack is therefore chosen for each
    example by all evaluations but one fold's, and scored on that fold alone, each fold in turn (cross-fitting, as Chernozhukov et
    al. 2018 use it): what is measured is what an attacker who can try the net before reaches, without bias, however many attacks
    there are. The other folds' estimates are shrunk towards what they have in common by as much as they are noise (empirical Bayes, Efron &
    Morris 1975): each attack's mean towards that of all attacks, and how an example differs between attacks towards how all examples do.
    Attacks that then seem equally harmful count by their mean. Folds are the repeats, or the draws where there is one repeat. An
    attack that is alone is not chosen, and scored as it was evaluated.

    Args:
        attacks: for each attack on the same examples, true where one was classified right, (repeats, draws, examples).
        randomised: true where the net's forward passes are random.

    Returns:
        None where a randomised net was evaluated only once under one of several attacks: nothing would be left to score on.

    Raises:
        ValueError: no attacks, or not on the same number of examples.
    """
    if not attacks or len({flags.shape[2] for flags in attacks}) != 1:
        raise ValueError(f"attacks of shapes {[flags.shape for flags in attacks]}: must be one or more, over the same examples")
    examples = attacks[0].shape[2]
    more = [flags[:, :, :examples] for flags in more if not randomised or flags[:, :, 0].size >= FEWEST_FOLDS]
    if not randomised:
        survived: Flags = np.logical_and.reduce([flags.all(axis=(0, 1)) for flags in attacks])
        for flags in more:
            survived[: flags.shape[2]] &= flags.all(axis=(0, 1))
        return survived.astype(np.float64)[None, None]
    folds = min(flags.shape[0] for flags in attacks)
    by_repeat = folds > 1
    if not by_repeat:
        folds = min(flags.shape[0] * flags.shape[1] for flags in attacks)
    folds = min([folds, *(flags.shape[0] * flags.shape[1] for flags in more)])
    if folds < FEWEST_FOLDS and len(attacks) + len(more) > 1:
        return None
    split = [_by_fold(flags, folds, by_repeat=by_repeat) for flags in attacks] + [_by_fold(flags, folds, by_repeat=False) for flags in more]
    ends = sorted({examples, *(flags.shape[2] for flags in more)})
    blocks = zip([0, *ends], ends, strict=False)
    scores = np.concatenate([_scored(split, start, end) for start, end in blocks], axis=1)
    return scores[:, None] if by_repeat else scores[None]


def _scored(split: Sequence[tuple[CorrectCounts, CorrectCounts]], start: int, end: int) -> Scores:
    """Return the scores, (folds, examples), of the examples from `start` to `end` under the attacks that were made on them."""
    there = [(right[:, start:end], counts) for right, counts in split if right.shape[1] >= end]
    right, counts = np.stack([right for right, _ in there]), np.stack([counts for _, counts in there])
    scores: Scores = _cross_fitted(right, counts) if len(there) > 1 else (right[0] / counts[0, :, None]).astype(np.float64)
    return scores


def ordered_scores(whole: Scores, parts: Mapping[str, tuple[Scores, int]]) -> tuple[Scores, dict[str, Scores]]:
    """Return the scores of all attacks, and those of parts of them, such that no part counts stronger than the whole.

    Each is estimated without bias, so that a part may come out below the whole by luck. To take the least for the whole would reward
    that luck, as does any function of the evaluations that is in order for all sets down to single attacks. Instead, where a part is
    below, whole and part get their weighted mean (isotonic regression, Robertson, Wright & Dykstra 1988, "Order Restricted Statistical
    Inference"), the lowest part first. Weights are the numbers of attacks. How folds differ from each other stays as it is.

    Args:
        whole: scores under all attacks, (folds, 1, examples).
        parts: for each part its scores, with folds of its own, and the number of its attacks.
    """
    size = sum(number for _, number in parts.values())
    pooled, level = [whole.mean(axis=(0, 1))], [size]
    joined: list[str] = []
    for name in sorted(parts, key=lambda name: float(parts[name][0].mean())):
        scores, number = parts[name]
        if scores.mean() >= np.average(pooled, axis=0, weights=level).mean():
            break
        pooled, level, joined = [*pooled, scores.mean(axis=(0, 1))], [*level, number], [*joined, name]
    common = np.average(pooled, axis=0, weights=level)
    moved = {name: _moved(scores, common) if name in joined else scores for name, (scores, _) in parts.items()}
    return _moved(whole, common - _ROUNDING) if joined else whole, moved


def _moved(scores: Scores, mean: Scores) -> Scores:
    """Return the scores moved by example so that their mean over folds is `mean`, (examples,)."""
    moved: Scores = scores + (mean - scores.mean(axis=(0, 1)))
    return moved


def _by_fold(flags: Flags, folds: int, *, by_repeat: bool) -> tuple[CorrectCounts, CorrectCounts]:
    """Return for each fold the number of times that each example was right, (folds, examples), and of how many, (folds,)."""
    units = flags if by_repeat else flags.reshape(-1, 1, flags.shape[2])
    right = np.stack([units[fold::folds].sum(axis=(0, 1), dtype=np.int32) for fold in range(folds)])
    counts = [units[fold::folds].shape[0] * units.shape[1] for fold in range(folds)]
    return right.astype(np.float32), np.array(counts, dtype=np.float32)


def _cross_fitted(right: CorrectCounts, counts: CorrectCounts) -> Scores:
    """Return the score of each fold under the attack that the other folds choose, (folds, examples), from (attacks, folds, examples) and
    (attacks, folds)."""
    shares = right / counts[:, :, None]
    once, squared = shares.sum(axis=1), (shares**2).sum(axis=1)
    scores = np.empty(right.shape[1:])
    for fold in range(right.shape[1]):  # fold by fold: the arrays in use stay in the cache
        here = shares[:, fold]
        others = np.delete(counts, fold, axis=1)
        expected = _expected(once - here, squared - here**2, np.delete(shares.mean(axis=2), fold, axis=1), others)
        chosen = expected <= expected.min(axis=0) + _EQUAL
        scores[fold] = (chosen * here).sum(axis=0) / chosen.sum(axis=0)
    return scores


def _expected(once: CorrectCounts, squared: CorrectCounts, fold_means: CorrectCounts, counts: CorrectCounts) -> CorrectCounts:
    """Return the shrunken mean of each example under each attack, (attacks, examples), up to what all attacks have in common.

    The mean over folds is a two-way table of attacks and examples. Its deviations, of attacks' means and of single cells from the sum of
    both margins, are due to the attacks, and to noise whose variance the folds show, or in a single fold its p(1 - p) / evaluations.

    Args:
        once: sum of each example's shares over folds, (attacks, examples); `squared` that of their squares.
        fold_means: mean over examples of each fold's shares, (attacks, folds).
        counts: number of evaluations in each fold, (attacks, folds).
    """
    number, folds = counts.shape
    means = once / folds
    if folds > 1:
        luck = float(fold_means.var(axis=1, ddof=1).mean()) / folds
        noise = np.maximum(((squared - once * means) / (folds - 1)).mean(axis=1) / folds - luck, 0)
    else:
        luck = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = (means * (1 - means)).mean(axis=1) / (counts[:, 0] - 1)  # not finite for one evaluation, which shows no noise
    of_attacks = means.mean(axis=1, keepdims=True)
    cells = means - of_attacks - (means.mean(axis=0) - of_attacks.mean())
    between = max(float(of_attacks.var(ddof=1)) - luck, 0.0)
    own = max(float((cells**2).mean()) * number / (number - 1) - float(noise.mean()), 0.0) if np.isfinite(noise).all() else 0.0
    shrunken: CorrectCounts = of_attacks * _share(between, np.array(luck)) + cells * _share(own, noise)[:, None]
    return shrunken


def _share(own: float, noise: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the share of a deviation, in [0, 1], that is its own: its variance as a part of that with the noise."""
    return np.zeros_like(noise) if own == 0 else own / (own + noise)
