"""FMN (Pintor et al., 2021): the smallest perturbation, in a ball whose radius follows the boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import attack
from workers.spec.fields import Count

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"), selects=True, loss="margin", minimises=True)
def fmn(problem: Problem, *, steps: Count = 100) -> Tensor:
    """Steps along the margin's gradient, each projected onto a ball that ends near the boundary."""
    from workers.attacks.engine.minimum_norm import fast_minimum_norm

    return fast_minimum_norm(problem, steps=steps)
