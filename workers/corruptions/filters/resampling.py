"""Images at other places than their pixels', (batch, channels, height, width)."""

import math

import torch
from torch import Tensor
from torch.nn import functional


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
