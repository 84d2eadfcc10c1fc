"""Which stored results are of what a published figure is of."""

from functools import cache
from math import isclose
from typing import cast

from orchestrator.report.paper.published import PublishedFigure
from orchestrator.store import ResultRow
from search_spaces import paper_steps
from workers.spec.attack import KINDS
from workers.spec.fields import AttackName, epsilon_fraction

_STEP_SIZE = 1 / 255
_USUAL = {"norm": "linf", "target": "none", "loss": "ce", "restarts": 1, "early_stop": False}
"""What the paper's attacks are, all of them; whose implementation runs makes no difference."""


def meets(cell: PublishedFigure, row: ResultRow) -> bool:
    """Whether the row holds what the cell is of; of which size, rank, seed and training is not asked."""
    if not _is_of_model(cell, row):
        return False
    return row.clean_accuracy is not None if cell.attack == "none" else _is_of_attack(cell, row)


def _is_of_model(cell: PublishedFigure, row: ResultRow) -> bool:
    named = ("dataset", "model", "binary", "defence", "adversarial_training")
    settings = row.defence_settings or {}
    return (
        row.stage_rank_fractions is None  # the paper's nets have one rank
        and all(getattr(cell, name) == getattr(row, name) for name in named)
        and isclose(cell.theta, row.theta)
        and all(name in settings and isclose(settings[name], value) for name, value in cell.defence_settings.items())
    )


def _is_of_attack(cell: PublishedFigure, row: ResultRow) -> bool:
    named = ("attack", "knowledge", "sign_gradient")
    if row.robust_accuracy is None or any(getattr(cell, name) != getattr(row, name) for name in named):
        return False
    return all(getattr(row, name) == value for name, value in _USUAL.items()) and _takes_the_papers_steps(cell, row)


def _takes_the_papers_steps(cell: PublishedFigure, row: ResultRow) -> bool:
    assert cell.epsilon is not None  # noqa: S101 (a cell with an attack has one)
    epsilon, steps, step_size = _papers_steps(cast("AttackName", cell.attack), cell.epsilon)
    return row.steps == steps and isclose(row.epsilon, epsilon, rel_tol=1e-9) and isclose(row.abs_stepsize, step_size, rel_tol=1e-9)


@cache
def _papers_steps(attack: AttackName, literal: str) -> tuple[float, int, float]:
    """Epsilon, the number of steps and their size, in input units."""
    epsilon, kind = epsilon_fraction(literal), KINDS[attack]
    steps = paper_steps(epsilon) if kind.steps else 1
    return float(epsilon), steps, _STEP_SIZE if kind.stepsize is None else kind.stepsize * float(epsilon)
