"""Rank fraction of a net in words."""

from collections.abc import Sequence


def rank_in_words(rank_fraction: float | None, stage_rank_fractions: Sequence[float] | None) -> str:
    """Return `0.5`, or `1/0.5/0.5/0.25` where each stage has its own; `dense` without a rank."""
    if stage_rank_fractions:
        return "/".join(f"{fraction:g}" for fraction in stage_rank_fractions)
    return "dense" if rank_fraction is None else f"{rank_fraction:g}"
