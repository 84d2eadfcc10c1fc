"""AutoAttack (Croce & Hein, 2020): a cascade of attacks, each on the examples that those before it left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workers.registry import attack

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"), random_start=True, selects=True, untargeted=True, suite=True)
def autoattack(problem: Problem, *, version: Literal["plus", "rand", "standard"] = "standard") -> Tensor:  # noqa: ARG001 (of the problem's settings)
    """The attacks of the official `version`, one after the other."""
    from workers.attacks.engine.restarts import cascade

    return cascade(problem)
