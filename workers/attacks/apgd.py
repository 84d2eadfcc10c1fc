"""Auto-PGD (Croce & Hein, 2020) on the cross-entropy, on the difference of logits ratio, and on its targeted form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import attack
from workers.spec.fields import Count
from workers.spec.step_settings import HundredSteps

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"), random_start=True, selects=True)
def apgd_ce(problem: Problem, *, steps: HundredSteps = "paper") -> Tensor:
    """Auto-PGD on the cross-entropy."""
    from workers.attacks.engine.auto_pgd import auto_pgd

    return auto_pgd(problem, steps=steps)


@attack(norms=("l2", "linf"), random_start=True, selects=True, loss="dlr")
def apgd_dlr(problem: Problem, *, steps: HundredSteps = "paper") -> Tensor:
    """Auto-PGD on the difference of logits ratio; below three classes on the margin."""
    from workers.attacks.engine.auto_pgd import auto_pgd

    return auto_pgd(problem, steps=steps)


@attack(norms=("l2", "linf"), random_start=True, selects=True, loss="dlr", untargeted=True)
def apgd_t(problem: Problem, *, steps: HundredSteps = "paper", classes: Count = 9) -> Tensor:
    """Auto-PGD on the targeted difference of logits ratio, aimed at each of the likeliest other `classes`; below four on the margin."""
    from workers.attacks.engine.auto_pgd import auto_pgd
    from workers.attacks.engine.queries import over_likeliest

    return over_likeliest(problem, lambda aimed: auto_pgd(aimed, steps=steps), classes=classes)
