"""Smallest steps to a hyperplane within the input range, under each norm (Croce & Hein, 2020, "Minimally distorted", section 3.1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from workers.attacks.engine.norms import Bounds, largest
from workers.spec.fields import NormName

_ROUNDS = 40
_CLOSE = 1e-6


def steepness(slopes: Tensor, *, norm: NormName) -> Tensor:
    """Return the most that a linear function with these slopes, (..., values), rises in a step of length 1: the dual norm, (...)."""
    found: Tensor = torch.linalg.vector_norm(slopes, ord=1 if norm == "linf" else 2, dim=-1)
    return found


@dataclass(frozen=True)
class Slopes:
    """Slopes of linear functions as steps need them, flattened: their signs and their magnitudes, (batch, values), these over the largest,
    `scale`, (batch, 1)."""

    signs: Tensor
    weights: Tensor
    scale: Tensor

    @classmethod
    def of(cls, slopes: Tensor) -> "Slopes":
        """Prepare slopes, (batch, *shape)."""
        flat = slopes.flatten(1)
        scale = largest(flat).clamp_min_(torch.finfo(slopes.dtype).tiny)
        scaled = flat / scale
        return cls(scaled.sign(), scaled.abs_(), scale)


def step_to_plane(points: Tensor, values: Tensor, slopes: Slopes, *, norm: NormName, bounds: Bounds) -> Tensor:
    """Return the shortest step of each point after which a linear function is 0, or as near to 0 as the bounds let it come.

    A value's step is min(t g, room): g is 1 under l-infinity and the slope's magnitude under l2, room the way to the bound. What all
    steps gain is concave and piecewise linear in t, so that Newton's method finds t from below, exactly and in a few rounds.

    Args:
        points: within `bounds`, (batch, *shape).
        values: of the function at the points, (batch,).
        slopes: of the function, of (batch, *shape).
        norm: in which the step is shortest.
        bounds: the smallest and the largest legal input value.
    """
    signs = slopes.signs * -values.sign()[:, None]
    middle, half = (bounds[0] + bounds[1]) / 2, (bounds[1] - bounds[0]) / 2
    room = (points.flatten(1) - middle).mul_(signs).sub_(half).neg_()
    steps = _lengths(slopes.weights, values.abs()[:, None] / slopes.scale, room, norm=norm)
    return signs.mul_(steps).view_as(points)


def _lengths(weights: Tensor, target: Tensor, room: Tensor, *, norm: NormName) -> Tensor:
    """Return the lengths of the step's values, (batch, values): together they gain `target`, (batch, 1), or all that there is room for."""
    gains = weights if norm == "linf" else weights * weights

    def least(reach: Tensor) -> Tensor:
        return torch.minimum(reach if norm == "linf" else reach * weights, room)

    reach = _divided(target, gains.sum(dim=1, keepdim=True))
    lengths, products = least(reach), torch.empty_like(room)
    for _ in range(_ROUNDS):
        missing = target - torch.mul(weights, lengths, out=products).sum(dim=1, keepdim=True)
        short = missing > _CLOSE * target
        if not bool(short.any()):
            break
        free = torch.lt(lengths, room, out=products)  # 1 where there is room left; masks of bool take a CPU ten times as long
        rate = free.mul_(gains).sum(dim=1, keepdim=True)
        if not bool((short & (rate > 0)).any()):
            break
        reach = reach + _divided(missing.clamp_min(0), rate)
        lengths = least(reach)
    return lengths


def _divided(values: Tensor, by: Tensor) -> Tensor:
    return torch.where(by > 0, values / by.clamp_min(torch.finfo(by.dtype).tiny), 0.0)
