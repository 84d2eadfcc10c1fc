"""C&W (Carlini & Wagner, 2017): the shortest change whose margin is positive, by Adam and a binary search for the margin's weight."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from workers.attacks.engine.minimum_norm import Nearest
from workers.attacks.engine.problem import Problem
from workers.attacks.engine.queries import chosen_per_example, gradient

_WITHIN = 0.999
_DECAYS, _TINY = (0.9, 0.999), 1e-8
_MOST, _FASTER = 1e10, 10.0
_SHRINK = 0.9


def carlini_wagner(problem: Problem, *, steps: int, searches: int, stepsize: float, first_weight: float) -> Tensor:
    """Return the nearest points found, (batch, *shape), in the ball.

    The point is the tanh of free variables, within the bounds whatever these are. Adam lowers the size of the change,
    less the margin times a weight while that is negative (section 5, with f6). After each of `searches` runs of `steps` steps the
    weight is lowered where the run reached the goal and raised where it did not, by bisection.
    """
    nearest = Nearest(problem)
    weights = _Weights.first(nearest.sizes, first_weight)
    for _ in range(searches):
        if (stay := nearest.leave()) is not None:
            weights = weights.of(stay)
        if len(nearest.sizes) == 0:
            break
        reached, stay = _descended(nearest, weights.now, steps=steps, stepsize=stepsize)
        weights = weights.of(stay).after(reached)
    return nearest.finished()


@dataclass
class _Weights:
    """The margin's weight of each example, and the bounds between which it is searched, (examples,) each."""

    now: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def first(cls, like: Tensor, weight: float) -> "_Weights":
        return cls(torch.full_like(like, weight), torch.zeros_like(like), torch.full_like(like, _MOST))

    def of(self, chosen: Tensor) -> "_Weights":
        return _Weights(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def after(self, reached: Tensor) -> "_Weights":
        low, high = torch.where(reached, self.low, self.now), torch.where(reached, self.now, self.high)
        return _Weights(torch.where(high < _MOST, (low + high) / 2, self.now * _FASTER), low, high)


def _descended(nearest: Nearest, weights: Tensor, *, steps: int, stepsize: float) -> tuple[Tensor, Tensor]:
    """Offer the points of one run; return flags of the examples whose goal it reached, of those that are left, and these examples' indices
    among those with which the run began."""
    low, high = nearest.problem.bounds
    middle, half = (low + high) / 2, (high - low) / 2
    left = torch.arange(len(weights), device=weights.device)
    free = ((nearest.problem.inputs - middle) / half * _WITHIN).atanh()
    first, second = torch.zeros_like(free), torch.zeros_like(free)
    reached = torch.zeros_like(weights, dtype=torch.bool)
    for step in range(1, steps + 1):
        flat = free.tanh()
        points = flat * half + middle
        slopes, logits = gradient(nearest.problem, points)
        reached = reached | nearest.offer(points, logits if nearest.problem.deterministic else None)
        short = nearest.problem.goal.losses(logits) <= 0
        pull = chosen_per_example(short, slopes * weights.view(-1, *[1] * (slopes.ndim - 1)), torch.zeros_like(slopes))
        descent = (_longer(points - nearest.problem.inputs, nearest) - pull) * half * (1 - flat * flat)
        first = _DECAYS[0] * first + (1 - _DECAYS[0]) * descent
        second = _DECAYS[1] * second + (1 - _DECAYS[1]) * descent * descent
        unbiased = (second / (1 - _DECAYS[1] ** step)).sqrt_().add_(_TINY)
        free = free - stepsize * first / (1 - _DECAYS[0] ** step) / unbiased
        if (stay := nearest.leave()) is not None:
            left, free, first, second, reached, weights = (part[stay] for part in (left, free, first, second, reached, weights))
            if len(stay) == 0:
                break
    return reached, left


def _longer(offsets: Tensor, nearest: Nearest) -> Tensor:
    """Return the gradient of a change's size: of its squared length, or under l-infinity of what exceeds nine tenths of the nearest one
    (section 5, "L-infinity")."""
    if nearest.problem.settings.norm == "l2":
        return 2 * offsets
    most = _SHRINK * nearest.sizes.view(-1, *[1] * (offsets.ndim - 1))
    return offsets.sign() * (offsets.abs() > most)
