"""Loss surfaces: the loss of a net over a plane through one example (the paper's figures 2 to 4).

A job writes `surface.safetensors` with

- `losses`, float32 (draws, resolution, resolution): the cross-entropy of the true label; rows follow y, columns x;
- `predictions`, uint8 of the same shape: the predicted class;
- `coordinates`, float64 (resolution,): the points of either axis, the middle one 0;
- `directions`, float32 (2, *shape): x and y, of length 1 in the settings' norm;
- `example`, float32 (*shape): the point at (0, 0).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.artifacts.outcomes import SurfaceOutcome
from workers.attacks.engine import input_gradient
from workers.errors import JobError
from workers.models.network import Network
from workers.spec.fields import NormName
from workers.spec.stage_specs import POINTS_PER_PASS
from workers.spec.surface import SurfaceSettings

_ORDERS: dict[NormName, float] = {"l2": 2.0, "linf": float("inf")}


@dataclass(frozen=True)
class LossSurface:
    """Result of a job; see the module for the tensors. `label` is the example's true class."""

    losses: Tensor
    predictions: Tensor
    coordinates: Tensor
    directions: Tensor
    example: Tensor
    label: int

    def tensors(self) -> dict[str, Tensor]:
        """Return the artifact's tensors by name, on the CPU."""
        named = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "label"}
        return {name: tensor.cpu().contiguous() for name, tensor in named.items()}

    def outcome(self) -> SurfaceOutcome:
        middle = self.losses.shape[-1] // 2
        return SurfaceOutcome(
            label=self.label,
            clean_loss=float(self.losses[:, middle, middle].mean()),
            least_loss=float(self.losses.min()),
            greatest_loss=float(self.losses.max()),
            l2_norms=_lengths(self.directions, norm="l2"),
            linf_norms=_lengths(self.directions, norm="linf"),
        )


def full_gradient(network: Network, example: Tensor, label: Tensor) -> Tensor:
    """Return the gradient of the loss of `network`'s full weights, of the shape of `example` (1, *shape); `label` is (1,)."""
    with network.full_weights():
        return input_gradient(network, example, label)


def drawn_gradient(network: Network, example: Tensor, label: Tensor, *, seeds: Sequence[int]) -> Tensor:
    """Return the gradient of the mean of the surfaces that `explore` makes with the same seeds, of the shape of `example` (1, *shape)."""
    gradients = []
    for seed in seeds:
        network.seed(seed)
        with network.frozen():
            gradients.append(input_gradient(network, example, label))
    return torch.stack(gradients).mean(dim=0)


def plane(gradient: Tensor, *, norm: NormName, generator: torch.Generator) -> Tensor:
    """Return the axes, (2, *shape): x along `gradient` (1, *shape), y random and orthogonal to it, both of length 1 in `norm`.

    y is uniform over the directions orthogonal to x. It is drawn on the CPU, so that it is the same on every device.

    Raises:
        JobError: the gradient is zero or not finite: it has no direction.
    """
    slope = gradient.flatten().double()
    if not slope.isfinite().all() or not slope.any():
        raise JobError(f"the gradient is {'not finite' if slope.any() else 'zero'}: it has no direction; try another example")
    x = slope / slope.abs().max()
    random = torch.randn(len(x), generator=generator, dtype=torch.float64).to(x.device)
    y = random - (random @ x) / (x @ x) * x
    axes = torch.stack([axis / torch.linalg.vector_norm(axis, ord=_ORDERS[norm]) for axis in (x, y)])
    return axes.float().view(2, *gradient.shape[1:])


def coordinates(settings: SurfaceSettings) -> Tensor:
    """Return the points of an axis, float64 (resolution,): evenly spaced over [-extent, extent], the middle one exactly 0."""
    half = settings.resolution // 2
    return torch.arange(-half, half + 1, dtype=torch.float64) * (settings.extent / half)


def explore(
    network: Network, example: Tensor, label: Tensor, *, directions: Tensor, settings: SurfaceSettings, seeds: Sequence[int]
) -> LossSurface:
    """Compute the losses at example + x * directions[0] + y * directions[1] for all x, y of the grid, under one draw for each seed.

    Args:
        network: in eval mode.
        example: (1, *shape), in the network's input units, on its device.
        label: its true class, (1,).
        directions: (2, *shape).
        settings: extent, resolution and clipping.
        seeds: one for each draw; a deterministic net takes one.

    Raises:
        JobError: a loss is not finite.
    """
    grids = [_under_one_draw(network, example, label, directions, settings, seed=seed) for seed in seeds]
    losses, predictions = (torch.stack(grid) for grid in zip(*grids, strict=True))
    bad = int((~losses.isfinite()).sum())
    if bad:
        raise JobError(f"the loss is not finite at {bad} of {losses.numel()} points: the net overflows there; try a smaller extent")
    return LossSurface(losses, predictions, coordinates(settings), directions, example[0], int(label))


def _under_one_draw(
    network: Network, example: Tensor, label: Tensor, directions: Tensor, settings: SurfaceSettings, *, seed: int
) -> tuple[Tensor, Tensor]:
    """Return losses and predicted classes, (resolution, resolution) each."""
    axis = coordinates(settings).to(example.device, torch.float32)
    places = torch.cartesian_prod(axis, axis).flip(1)
    network.seed(seed)
    with network.frozen(), torch.no_grad():
        logits = torch.cat([network(_points(network, example, part, directions, settings)) for part in places.split(POINTS_PER_PASS)])
    losses = F.cross_entropy(logits.float(), label.expand(len(logits)), reduction="none")
    shape = (settings.resolution, settings.resolution)
    return losses.view(shape), logits.argmax(dim=1).to(torch.uint8).view(shape)


def _points(network: Network, example: Tensor, places: Tensor, directions: Tensor, settings: SurfaceSettings) -> Tensor:
    """Return the inputs at `places` (places, 2) of the plane, (places, *shape)."""
    points: Tensor = example + torch.tensordot(places, directions, dims=1)
    return points.clamp(*network.bounds) if settings.clip else points


def _lengths(directions: Tensor, *, norm: NormName) -> tuple[float, float]:
    """Return the lengths of x and y of `directions` (2, *shape) in `norm`."""
    x, y = torch.linalg.vector_norm(directions.flatten(1).double(), ord=_ORDERS[norm], dim=1).tolist()
    return x, y
