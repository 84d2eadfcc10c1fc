"""Anytime-valid statements about a mean: they hold at every number of values at once, so that one may look at any time and stop.

By betting (Waudby-Smith & Ramdas 2023, "Estimating means of bounded random variables by betting"): against a hypothesis on the mean the
capital of a gambler who stakes only on what has been seen is, if the hypothesis is true, a nonnegative supermartingale, which ever reaches
1/alpha with a probability of alpha at most (Ville's inequality). Of values that are drawn without replacement from finitely many the
mean of those that are left is what each bet is against (Waudby-Smith & Ramdas 2020, "Confidence sequences for sampling without
replacement").
"""

import math

import numpy as np

from orchestrator.statistics.intervals import ConfidenceInterval, Correct, cluster_shares
from orchestrator.statistics.student import Values

_MOST = 0.95
"""Share of its capital that a gambler stakes at most."""
_HORIZONS = 25.0 * 4.0 ** np.arange(5)
_STEPS = 16  # of the bisection
_TINY = 1e-12


def drawn_values(correct: Correct, *, batch: int | None) -> Values:
    """Return the values in [0, 1] of an evaluation that count as drawn one after the other, in the order of the examples.

    Examples of a batch share the draws of the sketch, in crafting and in evaluation alike: what is drawn is then a batch, whose value
    is the mean over its examples, draws and repeats. Where nothing is shared it is an example.

    Args:
        correct: (repeats, draws, examples), true where an example was classified right.
        batch: number of examples that share a draw (a last batch of fewer counts as one); None where nothing is shared.
    """
    shares: Values = cluster_shares(correct).mean(axis=0)
    if batch is None:
        return shares
    starts = np.arange(0, len(shares), batch)
    means: Values = np.add.reduceat(shares, starts) / np.diff([*starts, len(shares)])
    return means


def is_surely_above(values: Values, mean: float, *, error_rate: float, population: int | None = None) -> bool:
    """Tell whether the mean is above this one; false positives at whatever number of values one looks have a probability of at most
    `error_rate`.

    Args:
        values: in [0, 1], in the order in which they were drawn.
        mean: in (0, 1).
        error_rate: in (0, 1).
        population: the number of values, from which these were drawn in random order without replacement, whose mean is meant; None: their
            expectation.
    """
    return _Gamblers(values, error_rate, population).rule_out(mean)


def sequence_interval(values: Values, *, error_rate: float = 0.05) -> ConfidenceInterval:
    """Return mean and confidence interval of the expectation of values in [0, 1], `(mean, low, high)`: the confidence sequence after so
    many values. All of it together, at whatever number one stops, misses the expectation with a probability of at most `error_rate`."""
    mean = float(values.mean())
    low, high = (_lower_end(_Gamblers(side, error_rate / 2)) for side in (values, 1 - values))
    return mean, min(low, mean), max(1 - high, mean)


def _lower_end(gamblers: "_Gamblers") -> float:
    """Return the largest mean that is ruled out, by bisection: the capital against a mean falls with it."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if gamblers.rule_out(middle) else (low, middle)
    return low


class _Gamblers:
    """Gamblers that bet on a higher mean than that of a hypothesis. Each stakes what is best where the hypothesis is to be ruled out after
    about so many values (`_HORIZONS`, of a population those that it has), given the variance so far; what counts is the mean of their
    capitals."""

    def __init__(self, values: Values, error_rate: float, population: int | None = None) -> None:
        number = np.arange(1, len(values) + 1)
        centre = (0.5 + np.cumsum(values)) / (number + 1)
        variance = np.concatenate([[0.25], (0.25 + np.cumsum((values - centre) ** 2)) / (number + 1)])[:-1]
        horizons = _HORIZONS[: np.searchsorted(_HORIZONS, population or math.inf) + 1]
        self._bound = -math.log(error_rate) + math.log(len(horizons))
        self._stakes = np.sqrt(2 * self._bound / np.outer(horizons, variance))
        self._values, self._before, self._number, self._population = values, np.cumsum(values) - values, number, population

    def rule_out(self, mean: float) -> bool:
        """Tell whether their capital against means up to this one ever rules them out."""
        expected = np.full(len(self._values), mean)
        if self._population is not None:
            expected = (self._population * mean - self._before) / (self._population - self._number + 1)
            if (expected < 0).any():  # what is left cannot be so low
                return True
        stakes = np.minimum(self._stakes, _MOST / np.maximum(expected, _TINY)) * (expected < 1)
        capital = np.cumsum(np.log1p(stakes * (self._values - expected)), axis=1)
        return bool(np.logaddexp.reduce(capital, axis=0).max(initial=-math.inf) >= self._bound)
