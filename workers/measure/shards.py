"""Outcome of an attack from those of its shards."""

from collections.abc import Sequence

import numpy as np

from workers.artifacts.outcomes import FlagsOutcome
from workers.artifacts.per_example import PerExample, Spent
from workers.errors import UserError


def one_after_the_other(shards: Sequence[FlagsOutcome], *, examples: int | None) -> FlagsOutcome:
    """Return the outcome over the examples of all shards, in their order. Metrics are left out: a median cannot be joined.

    Args:
        shards: of equally many draws.
        examples: that there must be in all.

    Raises:
        UserError: there are others.
    """
    correct = np.concatenate([shard.correct() for shard in shards], axis=1)
    if correct.shape[1] != examples:
        raise UserError(f"{len(shards)} shards of {correct.shape[1]} examples in all: must be {examples}")
    numbers = [shard.examples for shard in shards if shard.examples is not None]
    examples_of_all = PerExample.joined(numbers) if len(numbers) == len(shards) else None
    return FlagsOutcome.pack(correct, examples=examples_of_all, spent=_in_all([shard.spent for shard in shards]))


def _in_all(spent: Sequence[Spent | None]) -> Spent | None:
    """Return what the shards cost together; None where it is not known of each."""
    known = [found for found in spent if found is not None]
    if len(known) < len(spent):
        return None
    return Spent(**{name: sum(getattr(found, name) for found in known) for name in Spent.model_fields})
