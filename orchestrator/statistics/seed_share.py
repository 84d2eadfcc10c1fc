"""Share of the variance between models that training seeds explain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

_QUANTILE = 0.975
_FEWEST = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedShare:
    """Variance between seeds of equal settings as a share of that between models, in [0, 1], with its 95 % interval (None of one group of
    settings), and the standard deviation between seeds, in the values' units."""

    share: float
    low: float | None
    high: float | None
    deviation: float


def seed_share(groups: Sequence[Sequence[float]]) -> SeedShare | None:
    """Return what seeds explain, from a one-way random-effects analysis of variance (Searle, Casella & McCulloch, 1992, "Variance
    Components"): one less the intraclass correlation, with the interval from the F distribution, exact where all groups are equal in size.

    Args:
        groups: the values of models of equal settings, one for each seed.

    Returns:
        None where no settings have several seeds, or all values are equal.
    """
    values = [np.asarray(group, dtype=np.float64) for group in groups if len(group)]
    number, total = len(values), sum(group.size for group in values)
    if total == number or np.ptp(np.concatenate(values)) == 0:
        return None
    within = float(sum(((group - group.mean()) ** 2).sum() for group in values)) / (total - number)
    if number < _FEWEST:
        return SeedShare(share=1.0, low=None, high=None, deviation=float(np.sqrt(within)))
    mean = float(np.concatenate(values).mean())
    between = float(sum(group.size * (group.mean() - mean) ** 2 for group in values)) / (number - 1)
    size = (total - sum(group.size**2 for group in values) / total) / (number - 1)

    def share(ratio: float) -> float:
        """The share where the mean square between groups is `ratio` times that within."""
        return min(1.0, size / (max(ratio, 1.0) + size - 1)) if within else 0.0

    ratio = between / within if within else np.inf
    low = share(ratio * float(fdtri(total - number, number - 1, _QUANTILE)))
    high = share(ratio / float(fdtri(number - 1, total - number, _QUANTILE)))
    return SeedShare(share=share(ratio), low=low, high=high, deviation=float(np.sqrt(within)))
