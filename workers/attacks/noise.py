"""The baseline that every attack has to beat: a random point of the ball."""

from torch import Tensor

from workers.attacks.problem import Problem


def random_point(problem: Problem) -> Tensor:
    """A point drawn uniformly in the ball, (batch, *shape). The net is never asked."""
    return problem.ball.random(problem.generator)
