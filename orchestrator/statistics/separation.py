"""Separation of measured figures by their intervals."""

from collections.abc import Iterable

SeparableFigure = tuple[float, float | None, float | None]
"""A figure with the ends of its interval, where they are known."""


def separation(figures: Iterable[SeparableFigure]) -> int:
    """Return 2 where the intervals of some two figures do not meet, 1 where only their values differ, else 0; of no figures 0."""
    found = list(figures)
    if not found:
        return 0
    lows = [value if low is None else low for value, low, _ in found]
    highs = [value if high is None else high for value, _, high in found]
    return 2 if max(lows) > min(highs) else int(len({value for value, *_ in found}) > 1)
