"""Random points of the ball: the baseline for every attack."""

from torch import Tensor

from workers.attacks.problem import Problem


def random_point(problem: Problem) -> Tensor:
    """Return points drawn uniformly in the ball, (batch, *shape). The net is never evaluated."""
    return problem.ball.random(problem.generator)
