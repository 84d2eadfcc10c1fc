"""Auto-PGD (Croce & Hein, 2020) on the cross-entropy and on the difference of logits ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainValidator

from workers.registry import attack
from workers.spec.step_settings import IsNumber, steps_or_paper

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem

Steps = Annotated[Any, PlainValidator(steps_or_paper(100)), IsNumber("int")]
"""A number of steps; `paper` is AutoAttack's."""


@attack(norms=("l2", "linf"), random_start=True, selects=True)
def apgd_ce(problem: Problem, *, steps: Steps = "paper") -> Tensor:
    """Auto-PGD on the cross-entropy."""
    from workers.attacks.engine.apgd import auto_pgd

    return auto_pgd(problem, steps=steps)


@attack(norms=("l2", "linf"), random_start=True, selects=True, loss="dlr")
def apgd_dlr(problem: Problem, *, steps: Steps = "paper") -> Tensor:
    """Auto-PGD on the difference of logits ratio."""
    from workers.attacks.engine.apgd import auto_pgd

    return auto_pgd(problem, steps=steps)
