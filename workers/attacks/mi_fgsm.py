"""MI-FGSM (Dong et al., 2018): BIM along accumulated gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import attack
from workers.spec.fields import LossName, NonNegative
from workers.spec.step_settings import PaperSteps, Stepsize

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"))
def mi_fgsm(
    problem: Problem,
    *,
    steps: PaperSteps = "paper",
    abs_stepsize: Stepsize = None,
    loss: LossName = "ce",  # noqa: ARG001 (of the problem's goal)
    momentum: NonNegative = 1.0,
) -> Tensor:
    """Several steps of length `abs_stepsize` along the gradients so far, `momentum` being the decay factor of earlier ones."""
    from workers.attacks.engine.gradient import gradient_attack

    return gradient_attack(problem, steps=steps, stepsize=abs_stepsize, momentum=momentum)
