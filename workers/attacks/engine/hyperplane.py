"""Smallest steps to a hyperplane within the input range, under each norm (Croce & Hein, 2020, "Minimally distorted", section 3.1).

All is computed in the shape of the inputs: flattened, those of another memory layout would be copied in every step.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from workers.attacks.engine.norms import Bounds, axes_of_values, largest
from workers.spec.fields import NormName

_ROUNDS = 40
_CLOSE = 1e-6


def steepness(slopes: Tensor, *, norm: NormName) -> Tensor:
    """Return the most that linear functions with these slopes, (batch, *shape), rise in a step of length 1: the dual norm, (batch,)."""
    found: Tensor = torch.linalg.vector_norm(slopes, ord=1 if norm == "linf" else 2, dim=axes_of_values(slopes))
    return found


@dataclass(frozen=True)
class Slopes:
    """Slopes of linear functions as steps need them, each of (batch, *shape): over the largest, `scale`, (batch, 1, ...); the direction of
    the shortest step; and how much each value rises in it."""

    scaled: Tensor
    scale: Tensor
    way: Tensor
    gains: Tensor

    @classmethod
    def of(cls, slopes: Tensor, *, norm: NormName) -> "Slopes":
        """Prepare slopes, (batch, *shape), for steps that are the shortest under the norm."""
        scale = largest(slopes).clamp_min_(torch.finfo(slopes.dtype).tiny)
        scaled = slopes / scale
        way = scaled.sign() if norm == "linf" else scaled
        return cls(scaled, scale, way, scaled * way)

    def __getitem__(self, chosen: Tensor) -> "Slopes":
        return Slopes(self.scaled[chosen], self.scale[chosen], self.way[chosen], self.gains[chosen])


def step_to_plane(points: Tensor, values: Tensor, slopes: Slopes, *, bounds: Bounds) -> Tensor:
    """Return the shortest step of each point after which a linear function is 0, or as near to 0 as the bounds let it come.

    A value's step is t times its way, clipped to the room that there is. What all steps gain is concave and piecewise linear in t, so that
    Newton's method finds t from below, exactly and in a few rounds.

    Args:
        points: within `bounds`, (batch, *shape).
        values: of the function at the points, (batch,).
        slopes: of the function.
        bounds: the smallest and the largest legal input value.
    """
    target = -values.view_as(slopes.scale) / slopes.scale
    reach = _divided(target, summed(slopes.gains))
    return _steps(reach, target, slopes, (bounds[0] - points, bounds[1] - points), rounds=_ROUNDS)


def _steps(reach: Tensor, target: Tensor, slopes: Slopes, room: tuple[Tensor, Tensor], *, rounds: int) -> Tensor:
    """Return steps, (batch, *shape), that together gain `target`, or all that there is room for; `reach` leads no further, both are
    (batch, 1, ...)."""
    free = slopes.way * reach
    steps = free.clamp(*room)
    missing = target - summed(slopes.scaled * steps)
    short = missing * target.sign() > _CLOSE * target.abs()
    if not rounds or not bool(short.any()):
        return steps
    rate = summed(torch.eq(free, steps, out=free).mul_(slopes.gains))  # masks of bool take a CPU ten times as long
    further = reach + torch.where(short, _divided(missing, rate), 0.0)
    again = (short & (rate > 0)).flatten().nonzero().squeeze(1)
    if 2 * len(again) > len(steps):
        return _steps(further, target, slopes, room, rounds=rounds - 1)
    low, high = room
    more = _steps(further[again], target[again], slopes[again], (low[again], high[again]), rounds=rounds - 1) if len(again) else steps[:0]
    return steps.index_copy(0, again, more)


def summed(values: Tensor) -> Tensor:
    """Return the sum of each example's values, (batch, 1, ...)."""
    return values.sum(dim=axes_of_values(values), keepdim=True)


def _divided(values: Tensor, by: Tensor) -> Tensor:
    return torch.where(by > 0, values / by.clamp_min(torch.finfo(by.dtype).tiny), 0.0)
