"""Filters of images, (batch, channels, height, width): blurs, and values at other places than the pixels'."""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Border = Literal["edge", "reflect", "symmetric"]
"""Values beyond an image: its last pixels, itself mirrored about them, or mirrored with them (as `numpy.pad`)."""


def padded(images: Tensor, sizes: tuple[int, int], border: Border) -> Tensor:
    """Return the images with as many rows and columns around them, however small they are."""
    for axis, size in zip((2, 3), sizes, strict=True):
        places = np.pad(np.arange(images.shape[axis]), size, mode=border)
        images = images.index_select(axis, torch.from_numpy(places).to(images.device))
    return images


def gaussian(images: Tensor, sigma: float, *, border: Border = "edge", truncate: float = 4.0) -> Tensor:
    """Return the images blurred by a Gaussian of `sigma` pixels, which is cut off at `truncate` sigmas."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:
        return images
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64, device=images.device)
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    weights = (weights / weights.sum()).to(images.dtype)
    wide = padded(images, (radius, radius), border)
    return _filtered(_filtered(wide, weights[:, None]), weights[None])


def defocused(images: Tensor, radius: float, *, softness: float) -> Tensor:
    """Return the images blurred by a disk of `radius` pixels, whose edge a Gaussian of `softness` pixels softens."""
    extent, soft = int(radius) + 2, 1 if radius <= 8 else 2  # noqa: PLR2004 (the published kernels' sizes)
    offsets = torch.arange(-extent, extent + 1, dtype=torch.float64, device=images.device)
    disk = (offsets[:, None] ** 2 + offsets[None] ** 2 <= radius**2).double()
    edge = torch.exp(-(torch.arange(-soft, soft + 1, dtype=torch.float64, device=images.device) ** 2) / (2 * softness**2))
    edge /= edge.sum()
    kernel = functional.conv2d((disk / disk.sum())[None, None], (edge[:, None] * edge[None])[None, None], padding=soft)[0, 0]
    return _filtered(padded(images, (extent, extent), "reflect"), kernel.to(images.dtype))


def moved(images: Tensor, radius: float, *, sigma: float, degrees: Tensor) -> Tensor:
    """Return the images smeared along a line, as ImageMagick's MotionBlurImage does: half a Gaussian of `sigma` pixels, cut off at twice
    `radius`.

    Args:
        degrees: direction for each image, (batch,).
    """
    steps = torch.arange(2 * math.ceil(radius) + 1, dtype=torch.float64)
    weights = torch.exp(-(steps**2) / (2 * sigma**2))
    weights = (weights / weights.sum()).to(images.dtype)
    angles = torch.deg2rad(degrees.double().cpu())
    rows, columns = (torch.ceil(steps * part[:, None] - 0.5).long().to(images.device) for part in (angles.sin(), angles.cos()))
    batch, _, height, width = images.shape
    here = torch.arange(batch, device=images.device)[:, None, None]
    down, across = (torch.arange(size, device=images.device) for size in (height, width))
    total = torch.zeros_like(images).permute(0, 2, 3, 1)
    pixels = images.permute(0, 2, 3, 1)
    for step, weight in enumerate(weights.tolist()):
        at_rows = (down + rows[:, step, None]).clamp(0, height - 1)[:, :, None]
        at_columns = (across + columns[:, step, None]).clamp(0, width - 1)[:, None, :]
        total = total + weight * pixels[here, at_rows, at_columns]
    return total.permute(0, 3, 1, 2)


def _filtered(images: Tensor, kernel: Tensor) -> Tensor:
    """Correlate each channel with a kernel, (rows, columns); the result is smaller by the kernel's size less one."""
    channels = images.shape[1]
    return functional.conv2d(images, kernel.expand(channels, 1, *kernel.shape), groups=channels)


def zoomed(images: Tensor, factor: float) -> Tensor:
    """Return the middle of the images enlarged by `factor` to their size, between pixels linearly."""
    height, width = images.shape[-2:]
    inner = [math.ceil(size / factor) for size in (height, width)]
    top, left = ((size - part) // 2 for size, part in zip((height, width), inner, strict=True))
    middle = images[..., top : top + inner[0], left : left + inner[1]]
    larger = functional.interpolate(middle, size=[round(part * factor) for part in inner], mode="bilinear", align_corners=True)
    trim = [(found - size) // 2 for found, size in zip(larger.shape[-2:], (height, width), strict=True)]
    return larger[..., trim[0] : trim[0] + height, trim[1] : trim[1] + width]


def sampled(images: Tensor, rows: Tensor, columns: Tensor, *, mirrored_with_edge: bool) -> Tensor:
    """Return the images' values at places between their pixels, linearly; beyond the border they are mirrored.

    Args:
        images: (batch, channels, height, width).
        rows: in pixels, (batch, height, width); `columns` too.
        mirrored_with_edge: whether the border's pixels are repeated there.
    """
    aligned = not mirrored_with_edge
    parts = [_normalised(places, size, aligned=aligned) for places, size in ((columns, images.shape[3]), (rows, images.shape[2]))]
    grid = torch.stack(parts, dim=-1).to(images.dtype)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=aligned)


def _normalised(places: Tensor, size: int, *, aligned: bool) -> Tensor:
    """Return places in pixels as `grid_sample` has them, in [-1, 1] within the image."""
    return 2 * places / max(size - 1, 1) - 1 if aligned else (2 * places + 1) / size - 1
