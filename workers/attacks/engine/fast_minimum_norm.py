"""FMN (Pintor et al., 2021): gradient steps within a ball whose radius follows the boundary."""

from math import cos, pi

import torch
from torch import Tensor

from workers.attacks.engine.hyperplane import steepness
from workers.attacks.engine.minimum_norm import Nearest
from workers.attacks.engine.norms import BALLS
from workers.attacks.engine.problem import Problem
from workers.attacks.engine.queries import gradient

_FIRST_RATE, _LAST_RATE, _LAST_STEP = 0.05, 0.001, 0.01


def fast_minimum_norm(problem: Problem, *, steps: int) -> Tensor:
    """Return the nearest points found, (batch, *shape), in the ball.

    Each step climbs the margin, then projects onto a ball around the input: a little smaller than the nearest point so far where the
    goal is reached, larger where it is not, and as large as the linearised margin asks before it ever was. Lengths of steps and rates of
    the radius decay (algorithm 1). Unlike the paper's, a step is as long as the radius at first, whatever the inputs' size, and is
    clipped before it is projected: inside the ball nothing is then cut off.
    """
    nearest, norm = Nearest(problem), problem.settings.norm
    points, radii = problem.inputs, torch.full_like(nearest.sizes, torch.inf)
    for step in range(steps):
        if (stay := nearest.leave()) is not None:
            points, radii = points[stay], radii[stay]
        if len(points) == 0:
            break
        slopes, logits = gradient(nearest.problem, points)
        reached = nearest.offer(points, logits if problem.deterministic else None)
        decay = (1 + cos(pi * step / steps)) / 2
        needed = _needed(nearest.problem, points, slopes, logits)
        radii = _radii(nearest, radii, reached, needed, rate=_between(_LAST_RATE, _FIRST_RATE, decay))
        shaped = radii.view(-1, *[1] * (points.ndim - 1))
        ahead = points + problem.ball.direction(slopes) * shaped * _between(_LAST_STEP, 1.0, decay)
        points = BALLS[norm](nearest.problem.inputs, epsilon=shaped, bounds=problem.bounds).project_(ahead.clamp_(*problem.bounds))
    if len(points):
        nearest.offer(points)
    return nearest.finished()


def _radii(nearest: Nearest, radii: Tensor, reached: Tensor, needed: Tensor, *, rate: float) -> Tensor:
    """Return the next radii, (examples,); `needed` are the sizes at which the linearised margin is 0."""
    inside = torch.minimum(radii * (1 - rate), nearest.sizes)
    outside = torch.where(nearest.sizes.isfinite(), radii * (1 + rate), needed)
    return torch.where(reached, inside, outside)


def _needed(problem: Problem, points: Tensor, slopes: Tensor, logits: Tensor) -> Tensor:
    sizes = problem.ball.distances(points - problem.inputs)
    rises = steepness(slopes.flatten(1), norm=problem.settings.norm)
    distances = problem.goal.losses(logits).abs() / rises.clamp_min(torch.finfo(rises.dtype).tiny)
    return (sizes + distances).to(slopes.dtype)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share
