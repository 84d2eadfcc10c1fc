"""The attacker's ball under each norm, clipped to the input range: projection, random starts and distances."""

from abc import ABC, abstractmethod
from math import isnan

import torch
from torch import Tensor

from workers.errors import JobError, NonFiniteError
from workers.spec.fields import NormName

Bounds = tuple[float, float]
UNIT: Bounds = (0.0, 1.0)


class Ball(ABC):
    """The points within `epsilon` of each of `inputs`, (batch, *shape), and within `bounds`, in which the inputs themselves lie.

    `epsilon` is a number, or one for each input, (batch, 1, ...).
    """

    tolerance: float
    """Largest excess over epsilon that float32 arithmetic may cause."""

    def __init__(self, inputs: Tensor, *, epsilon: float | Tensor, bounds: Bounds) -> None:
        self.inputs, self.epsilon, self.bounds = inputs, epsilon, bounds

    @abstractmethod
    def project_(self, points: Tensor) -> Tensor:
        """Change `points`, (batch, *shape), to legal ones in place, and return them."""

    @abstractmethod
    def random(self, generator: torch.Generator) -> Tensor:
        """Return a legal point for each input: uniform in the ball, then clipped to the input range."""

    def _laid_out(self, points: Tensor) -> Tensor:
        """Return the points in the inputs' memory layout: a net made for another layout would convert them in every step."""
        return torch.empty_like(self.inputs).copy_(points)

    @staticmethod
    @abstractmethod
    def direction(gradient: Tensor) -> Tensor:
        """Return the steepest step of length 1 for each gradient, (batch, *shape)."""

    @staticmethod
    @abstractmethod
    def distances(offsets: Tensor) -> Tensor:
        """Return the length of each offset, (batch,)."""


class LinfBall(Ball):
    """A cube: every value may change by epsilon."""

    tolerance = 1e-6

    def __init__(self, inputs: Tensor, *, epsilon: float | Tensor, bounds: Bounds) -> None:
        super().__init__(inputs, epsilon=epsilon, bounds=bounds)
        self.low, self.high = (inputs - epsilon).clamp_(*bounds), (inputs + epsilon).clamp_(*bounds)

    def project_(self, points: Tensor) -> Tensor:
        return points.clamp_(self.low, self.high)

    def random(self, generator: torch.Generator) -> Tensor:
        noise = torch.rand(self.inputs.shape, generator=generator, device=self.inputs.device, dtype=self.inputs.dtype)
        return self.project_(self._laid_out(noise.mul_(2).sub_(1).mul_(self.epsilon)).add_(self.inputs))

    @staticmethod
    def direction(gradient: Tensor) -> Tensor:
        return gradient.sign()

    @staticmethod
    def distances(offsets: Tensor) -> Tensor:
        return largest(offsets).flatten()


class L2Ball(Ball):
    """A Euclidean ball: all changes together are at most epsilon long.

    Projecting onto the ball and then clipping leaves a point in both: the inputs are legal, so clipping only comes nearer to them.
    """

    tolerance = 1e-5

    def project_(self, points: Tensor) -> Tensor:
        offsets = points.sub_(self.inputs)
        shrink = (self.epsilon / _lengths(offsets)).clamp_(max=1)
        return offsets.mul_(shrink).add_(self.inputs).clamp_(*self.bounds)

    def random(self, generator: torch.Generator) -> Tensor:
        """Draw points with random directions, and radii whose power by the dimension is uniform (Voelker et al., 2017)."""
        shape, device, dtype = self.inputs.shape, self.inputs.device, self.inputs.dtype
        directions = self.direction(torch.randn(shape, generator=generator, device=device, dtype=dtype))
        radii = torch.rand((shape[0], *[1] * (len(shape) - 1)), generator=generator, device=device, dtype=dtype)
        noise = directions.mul_(radii.pow_(1 / shape[1:].numel()).mul_(self.epsilon))
        return self.project_(self._laid_out(noise).add_(self.inputs))

    @staticmethod
    def direction(gradient: Tensor) -> Tensor:
        scaled = scaled_exactly(gradient)
        return scaled / _lengths(scaled)

    @staticmethod
    def distances(offsets: Tensor) -> Tensor:
        lengths: Tensor = torch.linalg.vector_norm(offsets, dim=axes_of_values(offsets), dtype=torch.float64)
        return lengths


BALLS: dict[NormName, type[Ball]] = {"l2": L2Ball, "linf": LinfBall}


def axes_of_values(examples: Tensor) -> tuple[int, ...]:
    """Return all axes but the first: to reduce over these copies nothing, whatever the memory layout; to flatten them may."""
    return tuple(range(1, examples.ndim))


def largest(values: Tensor) -> Tensor:
    """Return the largest magnitude of each example's values, NaN where one is NaN, shaped to divide by."""
    axes = axes_of_values(values)  # on a CPU, vector_norm takes twenty times as long
    return torch.maximum(values.amax(dim=axes, keepdim=True), values.amin(dim=axes, keepdim=True).neg_())


def scaled_exactly(values: Tensor) -> Tensor:
    """Return each example's values over a power of two near the largest: their squares neither vanish nor overflow, and no bit is lost."""
    most = largest(values)
    return values / torch.where(most > 0, most / most.frexp().mantissa, 1.0)


def _lengths(offsets: Tensor) -> Tensor:
    """Euclidean lengths, never 0, shaped to divide by."""
    lengths: Tensor = torch.linalg.vector_norm(offsets.flatten(1), dim=1).clamp_min_(torch.finfo(offsets.dtype).tiny)
    return lengths.view(-1, *[1] * (offsets.ndim - 1))


def check_examples(examples: Tensor, inputs: Tensor, *, epsilon: float, bounds: Bounds = UNIT, norm: NormName = "linf") -> float:
    """Return the largest distance of `examples` from `inputs` under `norm`, in input units.

    Raises:
        NonFiniteError: a point is not finite.
        JobError: a point lies outside the epsilon ball or the input range `bounds`.
    """
    ball = BALLS[norm]
    distance = float(ball.distances(examples - inputs).max())
    if isnan(distance):
        raise NonFiniteError("an adversarial example lies nan from its input: it is not finite")
    if not distance <= epsilon + ball.tolerance * max(1.0, epsilon):
        raise JobError(f"an adversarial example lies {distance} from its input: outside the ball of epsilon {epsilon} ({norm})")
    low, high = float(examples.min()), float(examples.max())
    if low < bounds[0] or high > bounds[1]:
        legal = f"[{bounds[0]:g}, {bounds[1]:g}]"
        raise JobError(f"an adversarial example has values in [{low}, {high}]: outside the input range {legal}")
    return distance
