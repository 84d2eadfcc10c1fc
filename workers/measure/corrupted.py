"""Corrupted images, as a function for evaluations."""

import torch
from torch import Tensor

from workers.corruptions.filters.draws import ExampleDraws, example_seeds
from workers.errors import JobError
from workers.measure.evaluate import Perturb
from workers.spec.corruption import CorruptionSpec

CHANNELS = (1, 3)
"""Numbers of channels that an image may have."""
_IMAGE_AXES = 4
_LEVELS, _ROUNDING = 255, 1e-3


def corrupter(spec: CorruptionSpec) -> Perturb:
    """Return the corruption as a function for `correct_flags`: what it gives depends on the image and the seed alone, not on its batch."""

    def perturb(place: slice, inputs: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG001 (of a Perturb)
        return corrupted(inputs, spec)

    return perturb


@torch.no_grad()
def corrupted(images: Tensor, spec: CorruptionSpec) -> Tensor:
    """Return images under a corruption, in whole 255ths as files have them, (batch, channels, height, width) in [0, 1].

    Args:
        images: the same shape, in [0, 1], with one channel or three.
        spec: the corruption, its severity and its seed.

    Raises:
        JobError: they are no such images, or a user's corruption returns another shape or values that are not finite.
    """
    if images.ndim != _IMAGE_AXES or images.shape[1] not in CHANNELS:
        raise JobError(f"corruption {spec.name}: inputs of shape {tuple(images.shape[1:])}: must be images of 1 or 3 channels")
    component = spec.component
    draws = ExampleDraws(list(example_seeds(images, purpose=spec.name, seed=spec.seed)), images.device)
    found = component.create(images, spec.severity, draws, **dict(spec.settings))
    if not isinstance(found, Tensor) or found.shape != images.shape or not found.isfinite().all():
        said = "values that are not finite" if isinstance(found, Tensor) and found.shape == images.shape else "another shape"
        raise JobError(f"corruption {spec.name} ({component.place or 'ours'}): returned {said}; must be {tuple(images.shape)}")
    return (found.clamp(0, 1) * _LEVELS + _ROUNDING).floor() / _LEVELS
