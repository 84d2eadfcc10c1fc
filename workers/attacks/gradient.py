"""FGSM, BIM, MI-FGSM and PGD as settings of one loop of projected gradient ascent."""

import torch
from torch import Tensor

from workers.attacks.problem import Problem, Standing
from workers.attacks.queries import gradient


def ascend(problem: Problem) -> Tensor:
    """Return the loop's final iterate, (batch, *shape), in the ball.

    FGSM is one step of epsilon (Goodfellow et al., 2015), BIM several smaller ones (Kurakin et al., 2017), PGD starts at random
    (Madry et al., 2018), MI-FGSM accumulates gradients (Dong et al., 2018). A step is the gradient's sign under l-infinity, and the
    gradient divided by its length under l2. No points are tracked or compared: on a randomised net each step uses fresh draws,
    which affect that step only.

    With `early_stop`, for deterministic nets, an example leaves the batch at its first point that reaches the goal.
    """
    settings, ball = problem.settings, problem.ball
    current = ball.random(problem.generator) if settings.random_start else problem.inputs.clone()
    velocity = torch.zeros_like(current) if settings.momentum else None
    standing = Standing.all_of(problem, current) if settings.early_stop else None
    for _ in range(settings.steps):
        slope, logits = gradient(problem, current)
        if standing is not None:
            stay = standing.drop(current, problem.goal.reached(logits))
            if len(stay) == 0:
                return standing.examples
            problem, current, slope = standing.problem, current[stay], slope[stay]
            velocity = None if velocity is None else velocity[stay]
        if velocity is not None:
            slope = velocity.mul_(settings.momentum).add_(_unit_l1(slope))
        current = problem.ball.project_(current.add_(ball.direction(slope), alpha=settings.abs_stepsize))
    return current if standing is None else standing.finished(current)


def _unit_l1(slopes: Tensor) -> Tensor:
    lengths = slopes.abs().flatten(1).sum(dim=1).clamp_min_(torch.finfo(slopes.dtype).tiny)
    return slopes / lengths.view(-1, *[1] * (slopes.ndim - 1))
