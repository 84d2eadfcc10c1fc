"""BIM (Kurakin et al., 2017): several small steps of FGSM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import attack
from workers.spec.fields import AttackPrecision, LossName
from workers.spec.step_settings import PaperSteps, Stepsize

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"), foolbox=True)
def bim(
    problem: Problem,
    *,
    steps: PaperSteps = "paper",
    abs_stepsize: Stepsize = None,
    loss: LossName = "ce",  # noqa: ARG001
    precision: AttackPrecision = "float32",
) -> Tensor:
    """Several steps of length `abs_stepsize` along the gradient, from the clean example on."""
    from workers.attacks.engine.gradient import gradient_attack

    return gradient_attack(problem, steps=steps, stepsize=abs_stepsize, precision=precision)
