"""Accuracy that is left when, for each example, the attack is used that harms it most: an ensemble figure, as AutoAttack's."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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
_MOST_AT_ONCE = 1_000_000
"""Evaluations that are scored together: a few megabytes."""


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
    return worst_cases_of_each([(attacks, randomised, more)])[0]


def worst_cases_of_each(measured: Iterable[tuple[Sequence[Flags], bool, Sequence[Flags]]]) -> list[Scores | None]:
    """Return the worst case of each model, from its attacks, whether it is randomised, and more attacks, as `worst_case` does of one: of
    many in a fraction of the time.

    Raises:
        ValueError: see `worst_case`.
    """
    found: list[Scores | None] = []
    waiting: list[_Folds | Scores | None] = []
    cells = 0
    for attacks, randomised, more in measured:
        waiting.append(_parts(attacks, more, randomised=randomised))
        cells += sum(flags.size for flags in attacks)
        if cells > _MOST_AT_ONCE:
            found += _scored(waiting)
            waiting, cells = [], 0
    return found + _scored(waiting)


def survivors(attacks: Iterable[Flags]) -> Flags:
    """Return the examples, (examples,), that a deterministic net classifies right under all attacks, each of flags (..., examples)."""
    survived: Flags = np.logical_and.reduce([flags.all(axis=tuple(range(flags.ndim - 1))) for flags in attacks])
    return survived


_Table = tuple[CorrectCounts, CorrectCounts]
"""Numbers of times that each example was right under each attack in each fold, (attacks, folds, examples), and of how many, (attacks,
folds)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Folds:
    """Evaluations of a randomised net by folds, in a table for each block of examples that the same attacks were made on."""

    tables: list[_Table]
    by_repeat: bool

    def joined(self, scores: Sequence[Scores]) -> Scores:
        """Return the scores of the blocks as those of the net."""
        found = np.concatenate(scores, axis=1)
        return found[:, None] if self.by_repeat else found[None]


def _parts(attacks: Sequence[Flags], more: Sequence[Flags], *, randomised: bool) -> _Folds | Scores | None:
    """Return what is left to be chosen from, or the scores where nothing is: see `worst_case`."""
    if not attacks or len({flags.shape[2] for flags in attacks}) != 1:
        raise ValueError(f"attacks of shapes {[flags.shape for flags in attacks]}: must be one or more, over the same examples")
    examples = attacks[0].shape[2]
    more = [flags[:, :, :examples] for flags in more if not randomised or flags[:, :, 0].size >= FEWEST_FOLDS]
    if not randomised:
        survived = survivors(attacks)
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
    return _Folds(tables=[_table(split, start, end) for start, end in blocks], by_repeat=by_repeat)


def _table(split: Sequence[tuple[CorrectCounts, CorrectCounts]], start: int, end: int) -> _Table:
    """Return the table of the examples from `start` to `end` under the attacks that were made on them."""
    there = [(right[:, start:end], counts) for right, counts in split if right.shape[1] >= end]
    return np.stack([right for right, _ in there]), np.stack([counts for _, counts in there])


def _scored(parts: Sequence[_Folds | Scores | None]) -> list[Scores | None]:
    """Return the scores of each model's evaluations, those that are known already among them."""
    scored = iter(_of_tables([table for part in parts if isinstance(part, _Folds) for table in part.tables]))
    return [part.joined([next(scored) for _ in part.tables]) if isinstance(part, _Folds) else part for part in parts]


def _of_tables(tables: Sequence[_Table]) -> list[Scores]:
    """Return the scores of each table, (folds, examples); those of one shape are computed together."""
    alike: defaultdict[tuple[tuple[int, ...], bytes], list[int]] = defaultdict(list)
    for place, (right, counts) in enumerate(tables):
        alike[right.shape, counts.tobytes()].append(place)
    found: dict[int, Scores] = {}
    for places in alike.values():
        right, counts = np.stack([tables[place][0] for place in places]), tables[places[0]][1]
        alone: Scores = (right[:, 0] / counts[0, :, None]).astype(np.float64)
        found |= zip(places, _cross_fitted(right, counts) if len(counts) > 1 else alone, strict=True)
    return [found[place] for place in range(len(tables))]


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
    """Return the score of each fold under the attack that the other folds choose, (tables, folds, examples), from (tables, attacks, folds,
    examples) and (attacks, folds)."""
    shares = right / counts[:, :, None]
    once, squared = shares.sum(axis=2), (shares**2).sum(axis=2)
    means = shares.mean(axis=3)
    scores = np.empty((len(right), *right.shape[2:]))
    for fold in range(right.shape[2]):  # fold by fold: the arrays in use stay in the cache
        here = shares[:, :, fold]
        others = np.delete(counts, fold, axis=1)
        expected = _expected(once - here, squared - here**2, np.delete(means, fold, axis=2), others)
        chosen = expected <= expected.min(axis=1, keepdims=True) + _EQUAL
        scores[:, fold] = (chosen * here).sum(axis=1) / chosen.sum(axis=1)
    return scores


def _expected(once: CorrectCounts, squared: CorrectCounts, fold_means: CorrectCounts, counts: CorrectCounts) -> Scores:
    """Return the shrunken mean of each example under each attack, (tables, attacks, examples), up to what all attacks have in common.

    The mean over folds is a two-way table of attacks and examples. Its deviations, of attacks' means and of single cells from the sum of
    both margins, are due to the attacks, and to noise whose variance the folds show, or in a single fold its p(1 - p) / evaluations.

    Args:
        once: sum of each example's shares over folds, (tables, attacks, examples); `squared` that of their squares.
        fold_means: mean over examples of each fold's shares, (tables, attacks, folds).
        counts: number of evaluations in each fold, (attacks, folds).
    """
    number, folds = counts.shape
    means = once / folds
    if folds > 1:
        luck = _double(fold_means.var(axis=2, ddof=1).mean(axis=1)) / folds
        noise = np.maximum(((squared - once * means) / (folds - 1)).mean(axis=2) / folds - luck[:, None].astype(np.float32), 0)
    else:
        luck = np.zeros(len(means))
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = (means * (1 - means)).mean(axis=2) / (counts[:, 0] - 1)  # not finite for one evaluation, which shows no noise
    of_attacks = means.mean(axis=2)
    cells = means - of_attacks[:, :, None] - (means.mean(axis=1) - of_attacks.mean(axis=1, keepdims=True))[:, None]
    between = np.maximum(_double(of_attacks.var(axis=1, ddof=1)) - luck, 0.0)
    spread = _double((cells.reshape(len(cells), -1) ** 2).mean(axis=1)) * number / (number - 1)
    own = np.where(np.isfinite(noise).all(axis=1), np.maximum(spread - _double(noise.mean(axis=1)), 0.0), 0.0)
    of_cells = _share(own[:, None].astype(np.float32), noise)
    shrunken: Scores = of_attacks[:, :, None] * _share(between, luck)[:, None, None] + cells * of_cells[:, :, None]
    return shrunken


def _double(values: NDArray[np.floating]) -> NDArray[np.float64]:
    return values.astype(np.float64)


def _share(own: NDArray[np.floating], noise: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the share of a deviation, in [0, 1], that is its own: its variance as a part of that with the noise."""
    own, noise = np.broadcast_arrays(own, noise)
    found: NDArray[np.floating] = np.divide(own, own + noise, out=np.zeros_like(noise), where=own != 0)
    return found
