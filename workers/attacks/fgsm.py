"""FGSM (Goodfellow et al., 2015): one step of length epsilon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import attack
from workers.spec.fields import LossName

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"), foolbox=True, one_step=True)
def fgsm(problem: Problem, *, loss: LossName = "ce") -> Tensor:  # noqa: ARG001 (of the problem's goal)
    """One step of length epsilon along the gradient."""
    from workers.attacks.engine.gradient import gradient_attack

    return gradient_attack(problem, steps=1, stepsize=problem.settings.epsilon)
