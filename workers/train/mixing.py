"""MixUp (Zhang et al., 2018) and CutMix (Yun et al., 2019): each training example is mixed with another, and so are their labels."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.spec.training import TrainingSpec

_UNIFORM = 1.0
"""The Beta distribution of this parameter is the uniform one."""


def mixed(inputs: Tensor, labels: Tensor, settings: TrainingSpec, generator: torch.Generator, *, n_classes: int) -> tuple[Tensor, Tensor]:
    """Mix each example with the one before it in the batch, in a share of its own; return the mixtures and their labels' shares.

    Torchvision's `v2.MixUp` and `v2.CutMix` draw one share for a whole batch, from PyTorch's global generator.

    Args:
        inputs: (batch, *shape); for `cutmix` images, of which a rectangle is replaced by the other one's.
        labels: (batch,).
        settings: `mixing`, and `mixing_alpha`: the share of the example itself is drawn from Beta(alpha, alpha).
        generator: on the inputs' device.
        n_classes: number of classes.

    Returns:
        Inputs of the same shape, and (batch, n_classes) shares that add up to 1.
    """
    shares = _shares(len(inputs), settings.mixing_alpha, generator)
    others = inputs.roll(1, 0)
    if settings.mixing == "mixup":
        found = torch.lerp(others, inputs, shares.view(-1, *[1] * (inputs.dim() - 1)))
    else:
        replaced = _rectangles(inputs, 1 - shares, generator)
        found, shares = torch.where(replaced, others, inputs), 1 - replaced.float().mean(dim=(1, 2, 3))
    own = F.one_hot(labels, n_classes).to(inputs.dtype)
    return found, torch.lerp(own.roll(1, 0), own, shares[:, None])


def _shares(count: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Draw from Beta(alpha, alpha), by the inverse of its distribution function."""
    uniform = torch.rand(count, generator=generator, device=generator.device)
    if alpha == _UNIFORM:
        return uniform
    from scipy.special import betaincinv

    shares: Tensor = torch.from_numpy(betaincinv(alpha, alpha, uniform.double().cpu().numpy())).to(uniform)
    return shares


def _rectangles(images: Tensor, areas: Tensor, generator: torch.Generator) -> Tensor:
    """Return flags (batch, 1, height, width) of a rectangle of this share of each image around a random point, as far as it is inside."""
    centres = torch.rand(2, len(images), 1, generator=generator, device=images.device)
    flags: list[Tensor] = []
    for side, centre in zip(images.shape[2:], centres, strict=True):
        half = side * areas.sqrt()[:, None] / 2
        places = torch.arange(side, device=images.device) + 0.5
        flags.append((places - centre * side).abs() < half)
    rows, columns = flags
    return (rows[:, :, None] & columns[:, None, :])[:, None]
