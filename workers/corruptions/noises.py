"""Noises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import corruption

if TYPE_CHECKING:
    from torch import Tensor

    from workers.corruptions.filters.draws import ExampleDraws


@corruption(published=True)
def gaussian_noise(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:
    """Normal noise on every value."""
    scale = (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1]
    return images + scale * draws.normal(*images.shape[1:])


@corruption(published=True)
def shot_noise(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:
    """Poisson counts of as many photons as a value says."""
    photons = (500, 250, 100, 75, 50)[severity - 1]
    return draws.poisson(images * photons) / photons


@corruption(published=True)
def impulse_noise(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:
    """Salt and pepper: a share of the values is 0 or 1."""
    import torch

    share = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    drawn = draws.uniform(*images.shape[1:])
    peppered = torch.where(drawn < share / 2, 0.0, images)
    return torch.where((drawn >= share / 2) & (drawn < share), 1.0, peppered)


@corruption
def speckle_noise(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:
    """Normal noise in proportion to each value."""
    scale = (0.06, 0.1, 0.12, 0.16, 0.2)[severity - 1]
    return images + scale * images * draws.normal(*images.shape[1:])
