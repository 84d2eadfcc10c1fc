"""FAB (Croce & Hein, 2020) and DeepFool (Moosavi-Dezfooli et al., 2016): steps to the nearest decision boundary, as if it were linear."""

import torch
from torch import Tensor

from workers.attacks.engine.hyperplane import Slopes, steepness, step_to_plane, summed
from workers.attacks.engine.minimum_norm import Nearest
from workers.attacks.engine.norms import Bounds
from workers.attacks.engine.problem import Problem
from workers.attacks.engine.queries import chosen_per_example, likeliest, linearised, over_likeliest, per_example

_FAB_OVERSHOOT, _FAB_BIAS, _FAB_RETREAT = 0.05, 0.1, 0.9
_DEEPFOOL_OVERSHOOT = 0.02
_LOST = 5
"""A walk of FAB that has not reached the goal after this part of its steps, a fifth, goes on from far beyond the boundary."""


def fast_adaptive_boundary(problem: Problem, *, steps: int, classes: int) -> Tensor:
    """Return FAB's points, (batch, *shape): towards the nearest of the boundaries to the likeliest other `classes`, in each step anew."""
    return _fab(problem, likeliest(problem, classes), steps=steps)


def targeted_fast_adaptive_boundary(problem: Problem, *, steps: int, classes: int) -> Tensor:
    """Return the best points, (batch, *shape), of a FAB for each of the likeliest other `classes`, towards that one alone."""

    def search(aimed: Problem) -> Tensor:
        assert aimed.goal.towards is not None  # noqa: S101 (it is aimed)
        return _fab(aimed, aimed.goal.towards[:, None], steps=steps)

    return over_likeliest(problem, search, classes=classes)


def _fab(problem: Problem, classes: Tensor, *, steps: int) -> Tensor:
    start = problem.inputs
    if problem.run:
        start = (start + problem.ball.random(problem.generator)) / 2
    nearest = Nearest(problem)
    return walk(nearest, start, classes, steps=steps, overshoot=_FAB_OVERSHOOT, bias=_FAB_BIAS, retreat=_FAB_RETREAT)


def deepfool(problem: Problem, *, steps: int, classes: int) -> Tensor:
    """Return DeepFool's points, (batch, *shape): each the first on its way that reaches the goal."""
    nearest, among = Nearest(problem, at_first=True), likeliest(problem, classes)
    return walk(nearest, problem.inputs, among, steps=steps, overshoot=_DEEPFOOL_OVERSHOOT, bias=0, retreat=1)


def walk(nearest: Nearest, points: Tensor, classes: Tensor, *, steps: int, overshoot: float, bias: float, retreat: float) -> Tensor:
    """Return the nearest points of a walk along the boundaries to `classes`, (batch, k), in the ball.

    Args:
        nearest: of the problem.
        points: at which the walk starts, (batch, *shape).
        classes: whose boundaries to the label are approached, the nearest one in each step.
        steps: how many.
        overshoot: share by which a step leads beyond the boundary.
        bias: the greatest share of a step that starts anew from the clean input (`alpha_max` in the paper).
        retreat: share of the way from the clean input at which the walk goes on from a point that reaches the goal (`beta`).
    """
    for step in range(steps + 1):
        if (stay := nearest.leave()) is not None:
            points, classes = points[stay], classes[stay]
        if step == steps or len(points) == 0:
            break
        problem, inputs = nearest.problem, nearest.problem.inputs
        values, slopes = _nearest_boundary(problem, *linearised(problem, points, classes))
        ahead = _stepped(problem, points, values, slopes, onward=1 + overshoot, bias=bias)
        if bias and step == max(steps // _LOST, 1) and bool((lost := nearest.sizes.isinf()).any()):
            ahead = chosen_per_example(lost, _farthest(points, slopes, bounds=problem.bounds), ahead)
        points = ahead
        reached = nearest.offer(points)
        if retreat < 1:
            points = torch.lerp(inputs, points, per_example(torch.where(reached, retreat, 1.0).to(points.dtype), points))
    return nearest.finished()


def _stepped(problem: Problem, points: Tensor, values: Tensor, slopes: Tensor, *, onward: float, bias: float) -> Tensor:
    """Return the points after one step to a linear boundary, mixed with a step there from the clean inputs (algorithm 1)."""
    norm, inputs, bounds = problem.settings.norm, problem.inputs, problem.bounds
    prepared = Slopes.of(slopes, norm=norm)
    way = step_to_plane(points, values, prepared, bounds=bounds)
    ahead = points.add(way, alpha=onward)
    if bias:
        at_inputs = values + summed(slopes * (inputs - points)).flatten()
        anew = step_to_plane(inputs, at_inputs, prepared, bounds=bounds)
        share = _share(problem.ball.distances(way), problem.ball.distances(anew), most=bias).to(points.dtype)
        ahead = torch.lerp(ahead, inputs.add(anew, alpha=onward), per_example(share, points))
    return ahead.clamp_(*bounds)


def _farthest(points: Tensor, slopes: Tensor, *, bounds: Bounds) -> Tensor:
    """Return the points as far up the slopes as the bounds let them go, beyond the boundary.

    Behind walls of steep slopes each step is too short, and no walk towards the boundary comes there; the walk back does. The official
    implementation comes so far by rounding, in its l2 projections on slopes of very different sizes.
    """
    low, high = bounds
    return torch.where(slopes > 0, high, torch.where(slopes < 0, low, points))


def _nearest_boundary(problem: Problem, values: Tensor, slopes: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the value, (batch,), and the slopes, (batch, *shape), of the boundary that is nearest if it is linear."""
    if len(slopes) == 1:
        return values[:, 0], slopes[0]
    rises = torch.stack([steepness(each, norm=problem.settings.norm) for each in slopes], dim=1)
    chosen = (values.abs() / rises.clamp_min(torch.finfo(rises.dtype).tiny)).argmin(dim=1)
    nearest = slopes[0]
    for k, each in enumerate(slopes[1:], start=1):
        nearest = torch.where(per_example(chosen == k, each), each, nearest)
    return values.gather(1, chosen[:, None])[:, 0], nearest


def _share(one: Tensor, other: Tensor, *, most: float) -> Tensor:
    return (one / (one + other).clamp_min(torch.finfo(one.dtype).tiny)).clamp(max=most)
