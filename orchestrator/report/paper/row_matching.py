"""Match of stored results with published figures: tells which rows hold what a figure is of."""

from functools import cache
from math import isclose

from orchestrator.report.paper.published import PublishedFigure
from orchestrator.store import ResultRow
from search_spaces import paper_steps
from workers.registry import ATTACKS
from workers.spec.fields import epsilon_fraction

_STEP_SIZE = 1 / 255
_USUAL = {"norm": "linf", "target": "none", "loss": "ce", "restarts": 1, "early_stop": False}
"""Settings that all of the paper's attacks have; whose implementation runs makes no difference."""


def meets(cell: PublishedFigure, row: ResultRow) -> bool:
    """Tell whether the row holds what the cell is of, whatever its size, rank, seed and training."""
    if row.split != "test" or not _is_of_model(cell, row):
        return False
    return row.clean_accuracy is not None if cell.attack == "none" else _is_of_attack(cell, row)


def _is_of_model(cell: PublishedFigure, row: ResultRow) -> bool:
    named = ("dataset", "model", "binary", "defence", "adversarial_training")
    settings = row.defence_settings or {}
    return (
        row.rank_fractions is None  # the paper's nets have one rank
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
    epsilon, settings = _papers_settings(cell.attack, cell.epsilon)
    found = row.attack_settings
    return isclose(row.epsilon, epsilon, rel_tol=1e-9) and all(
        name in found and isclose(found[name], value, rel_tol=1e-9) for name, value in settings.items()
    )


@cache
def _papers_settings(attack: str, literal: str) -> tuple[float, dict[str, float]]:
    """Epsilon, and those of the number of steps and their size that the attack has, in input units."""
    epsilon = epsilon_fraction(literal)
    papers = {"steps": paper_steps(epsilon), "abs_stepsize": _STEP_SIZE}
    return float(epsilon), {name: value for name, value in papers.items() if name in ATTACKS[attack].settings.model_fields}
