"""Worst cases for tables: where a randomised model was evaluated too rarely for one, the single attacks."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from orchestrator.statistics.worst_case import FEWEST_FOLDS
from orchestrator.store.reading.measured import ANY, WORST_CASE
from orchestrator.store.reading.values import ResultRow

_BALL = ("sweep", "model_key", "knowledge", "norm", "epsilon", "n_examples", "evaluation_batch_size", "draws", "split", "example_order")


def with_single_attacks(worst: Sequence[ResultRow], read: Callable[[], Sequence[ResultRow]]) -> tuple[list[ResultRow], tuple[str, ...]]:
    """Return the worst cases, in place of those without a figure the attacks that they are over, and a note that says so.

    Args:
        worst: rows over attacks, and others.
        read: returns the rows of single attacks; asked only where a worst case has no figure.
    """
    unscored = [row for row in worst if _is_unscored(row)]
    if not unscored:
        return list(worst), ()
    singles: defaultdict[Hashable, list[ResultRow]] = defaultdict(list)
    for row in read():
        singles[_ball(row)].append(row)
    shown = [single for row in worst for single in (singles[_ball(row)] if _is_unscored(row) else [row])]
    return shown, (unscored_note(unscored),)


def unscored_note(unscored: Sequence[ResultRow]) -> str:
    """Return the line that says why these rows have no worst case."""
    models = len({row.model_key for row in unscored})
    few = f"too few draws to choose the worst attack per example: 1; at least {FEWEST_FOLDS}"
    over = "any knowledge" if all(row.knowledge == ANY for row in unscored) else "their attacks"
    return f"{models} model{'' if models == 1 else 's'} without a worst case over {over}: {few} (`evaluation.draws` or `repeats`)"


def _is_unscored(row: ResultRow) -> bool:
    return row.attack == WORST_CASE and row.robust_accuracy is None


def _ball(row: ResultRow) -> Hashable:
    return tuple(getattr(row, name) for name in _BALL)
