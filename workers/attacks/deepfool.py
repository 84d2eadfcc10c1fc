"""DeepFool (Moosavi-Dezfooli et al., 2016): the first point across a decision boundary, by steps to the nearest one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import attack
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"), selects=True, loss="margin", minimises=True, untargeted=True)
def deepfool(problem: Problem, *, steps: Count = 50, classes: Count = 9) -> Tensor:
    """Steps to the nearest of the boundaries to the likeliest other `classes`, until one is crossed."""
    from workers.attacks.engine import boundary

    return boundary.deepfool(problem, steps=steps, classes=classes)
