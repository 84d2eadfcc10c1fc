"""Quantiles of Student's t: SciPy has them too, and takes a tenth of a report's time to be imported."""

from math import lgamma, pi, sqrt

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

NORMAL_QUANTILE = 1.959963984540054
"""The standard normal's 97.5 % quantile."""
_MANY, _MOST = 1e3, 1e12
"""Degrees of freedom from which on the expansion about the normal quantile is exact, and from which on nothing is left of it."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_MOST_STEPS = 60


def student_quantiles(freedom: Values) -> Values:
    """Return Student's 97.5 % quantile for each number of degrees of freedom, real and at least 1, to a relative error of 1e-11."""
    found = _expansion(freedom.clip(_MANY, _MOST))
    few = freedom < _MANY
    if few.any():
        distinct, places = np.unique(freedom[few], return_inverse=True)
        found[few] = _solved(distinct)[places]
    return found


def _expansion(freedom: Values) -> Values:
    """Return the quantiles by the expansion in 1 / freedom (Abramowitz & Stegun 1964, 26.7.5)."""
    z = NORMAL_QUANTILE
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    found: Values = z + np.sum([term / freedom**power for power, term in enumerate(terms, start=1)], axis=0)
    return found


def _solved(freedom: Values) -> Values:
    """Return the quantiles t by Newton's method on the angle whose tangent is t / sqrt(freedom): in it the density is a power of a cosine,
    which Gauss' rule integrates exactly, and the distribution is concave, so that no step from the left goes too far."""
    scale = np.array([np.exp(lgamma((known + 1) / 2) - lgamma(known / 2)) / sqrt(pi) for known in freedom.tolist()])
    power = freedom - 1
    angle = np.arctan(NORMAL_QUANTILE / np.sqrt(freedom))
    for _ in range(_MOST_STEPS):
        at = angle[:, None] * (_NODES + 1) / 2
        below = (np.cos(at) ** power[:, None] @ _WEIGHTS) * angle / 2
        step = (0.475 / scale - below) / np.cos(angle) ** power
        angle = angle + step
        if np.all(np.abs(step) <= 1e-14 * angle):  # a few units of the last place
            break
    found: Values = np.tan(angle) * np.sqrt(freedom)
    return found
