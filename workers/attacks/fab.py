"""FAB (Croce & Hein, 2020): the smallest perturbation, by steps to the nearest decision boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import attack
from workers.spec.fields import Count
from workers.spec.step_settings import HundredSteps

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"), selects=True, loss="margin", minimises=True, untargeted=True, restarts=True)
def fab(problem: Problem, *, steps: HundredSteps = "paper", classes: Count = 9) -> Tensor:
    """Steps towards the nearest of the boundaries to the likeliest other `classes`."""
    from workers.attacks.engine.boundary import fast_adaptive_boundary

    return fast_adaptive_boundary(problem, steps=steps, classes=classes)


@attack(norms=("l2", "linf"), selects=True, loss="margin", minimises=True, untargeted=True, restarts=True)
def fab_t(problem: Problem, *, steps: HundredSteps = "paper", classes: Count = 9) -> Tensor:
    """Steps towards the boundary to each of the likeliest other `classes`, one class after the other."""
    from workers.attacks.engine.boundary import targeted_fast_adaptive_boundary

    return targeted_fast_adaptive_boundary(problem, steps=steps, classes=classes)
