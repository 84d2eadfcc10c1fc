"""Part of a mean's variance that is due to draws which examples share: of sketches when they are evaluated, and when they are attacked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedDraws:
    """Extent of a draw: the examples of a `batch` (None: all of them) share it. `crafted` is true where adversarial examples were made
    under such draws too, anew in each repeat."""

    batch: int | None = None
    crafted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Luck:
    """Variance of a mean accuracy over repeated draws (an array: of each of several), and the degrees of freedom of that estimate (infinite
    where nothing shows any)."""

    variance: Any = 0.0
    freedom: float = np.inf


def shared_luck(shares: Shares, draws: SharedDraws, *, repeats: int) -> Luck:
    """Return the variance of the mean of `shares` that is due to draws.

    A batch in a repeat is a cluster: it has draws of its own. How the means of a batch differ between repeats holds all their luck,
    that of single examples included, and gives (repeats - 1) degrees of freedom for each batch (by weight: Satterthwaite 1946). Of a single
    repeat only its draws can be compared, whose luck is that of the evaluation. The luck of the crafting, which all of them have in
    common, is not seen: it is taken to be that of one draw more, as the examples were made under draws from the same distribution.

    Args:
        shares: of right evaluations, (..., clusters, examples): in each repeat, or in each draw of a single repeat.
        draws: what shares a draw.
        repeats: their number.
    """
    clusters, examples = shares.shape[-2:]
    if clusters == 1:
        return Luck()
    starts = np.arange(0, examples, draws.batch or examples)
    weights = np.diff([*starts, examples]) / examples
    parts = (np.add.reduceat(shares, starts, axis=-1) / examples).var(axis=-2, ddof=1)
    freedom = (clusters - 1) * float((weights**2).sum() ** 2 / (weights**4).sum())
    evaluations = 1 / clusters + (repeats == 1 and draws.crafted)
    return Luck(variance=parts.sum(axis=-1) * evaluations, freedom=freedom)
