"""C&W (Carlini & Wagner, 2017): the smallest perturbation, by Adam on its length and the margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import attack
from workers.spec.fields import Count, Positive

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"), selects=True, loss="margin", minimises=True)
def carlini_wagner(
    problem: Problem, *, steps: Count = 200, searches: Count = 6, stepsize: Positive = 0.01, first_weight: Positive = 0.1
) -> Tensor:
    """Adam for `steps` steps in each of `searches` runs, between which the margin's weight, at first `first_weight`, is bisected."""
    from workers.attacks.engine import margin_weight_search

    return margin_weight_search.carlini_wagner(problem, steps=steps, searches=searches, stepsize=stepsize, first_weight=first_weight)
