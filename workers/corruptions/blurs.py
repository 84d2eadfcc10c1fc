"""Blurs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import corruption

if TYPE_CHECKING:
    from torch import Tensor

    from workers.corruptions.filters.draws import ExampleDraws

_SIDE = 32


@corruption(published=True)
def defocus_blur(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:  # noqa: ARG001 (of every corruption)
    """A blur by a disk."""
    from workers.corruptions.filters.image_filters import defocused

    radius, softness = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))[severity - 1]
    return defocused(images, radius * _scale(images), softness=softness)


@corruption(published=True)
def glass_blur(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:
    """Pixels that show what is near them, between two blurs."""
    from workers.corruptions.filters.image_filters import gaussian

    sigma, reach, times = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))[severity - 1]
    scale = _scale(images)
    scattered = (gaussian(images, sigma * scale) * 255).floor() / 255
    for _ in range(times):
        scattered = _scattered(scattered, draws, reach=max(1, round(reach * scale)))
    return gaussian(scattered, sigma * scale)


def _scattered(images: Tensor, draws: ExampleDraws, *, reach: int) -> Tensor:
    """Give each pixel, but for those at the border, the value of one at most `reach` before it, or less after it. (The published program
    means to swap them, and copies.)"""
    import torch

    batch, _, height, width = images.shape
    shifts = draws.integers(2, height, width, low=-reach, high=reach)
    rows, columns = (torch.arange(size, device=images.device) for size in (height, width))
    inside = ((rows > reach) & (rows <= height - reach))[:, None] & ((columns > reach) & (columns <= width - reach))
    down = torch.where(inside, rows[:, None] + shifts[:, 0], rows[:, None]).clamp(0, height - 1)
    across = torch.where(inside, columns + shifts[:, 1], columns).clamp(0, width - 1)
    here = torch.arange(batch, device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[here, down, across].permute(0, 3, 1, 2)


@corruption(published=True)
def motion_blur(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:
    """A blur along a line of any direction within 45 degrees of the horizontal."""
    from workers.corruptions.filters.image_filters import moved

    radius, sigma = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))[severity - 1]
    scale, degrees = _scale(images), draws.uniform(low=-45.0, high=45.0)
    return moved(images, radius * scale, sigma=sigma * scale, degrees=degrees)


@corruption(published=True)
def zoom_blur(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:  # noqa: ARG001 (of every corruption)
    """The mean of an image and of what a zoom shows of it, up to 1.05 to 1.25 times as large."""
    from workers.corruptions.filters.image_filters import zoomed

    factors = [1 + step / 100 for step in range(5 * severity + 1)]
    total = images.clone()
    for factor in factors:
        total = total + zoomed(images, factor)
    return total / (len(factors) + 1)


@corruption
def gaussian_blur(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:  # noqa: ARG001 (of every corruption)
    """A blur by a Gaussian."""
    from workers.corruptions.filters.image_filters import gaussian

    return gaussian(images, (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1] * _scale(images))


def _scale(images: Tensor) -> float:
    """The smaller side over the 32 pixels for which lengths are published."""
    return float(min(images.shape[-2:]) / _SIDE)
