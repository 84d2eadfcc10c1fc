"""Random points of the ball: the baseline for every attack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import attack

if TYPE_CHECKING:
    from torch import Tensor

    from workers.attacks.engine.problem import Problem


@attack(norms=("l2", "linf"), takes_gradients=False, random_start=True, one_step=True)
def noise(problem: Problem) -> Tensor:
    """Return points drawn uniformly in the ball, (batch, *shape). The net is never evaluated."""
    return problem.ball.random(problem.generator)
