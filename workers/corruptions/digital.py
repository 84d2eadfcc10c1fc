"""Corruptions by cameras and files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import corruption

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from torch import Tensor

    from workers.corruptions.filters.draws import ExampleDraws


@corruption(published=True)
def contrast(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:  # noqa: ARG001 (of every corruption)
    """Values nearer to the mean of their channel."""
    kept = (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1]
    means = images.mean(dim=(2, 3), keepdim=True)
    return (images - means) * kept + means


@corruption(published=True)
def elastic_transform(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:
    """A random affine map, then local shifts."""
    import torch

    from workers.corruptions.filters.image_filters import gaussian, sampled

    strength, smoothness, moves = ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))[
        severity - 1
    ]
    height, width = images.shape[2:]
    side = min(height, width)
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float64, device=images.device),
        torch.arange(width, dtype=torch.float64, device=images.device),
        indexing="ij",
    )
    places = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1) @ _affine(draws, height, width, reach=moves * side)[:, None]
    mapped = sampled(images, places[..., 1], places[..., 0], mirrored_with_edge=False)
    if strength == 0:
        return mapped
    shifts = gaussian(draws.uniform(2, height, width, low=-1.0, high=1.0), smoothness * side, border="symmetric", truncate=3.0)
    shifts = shifts.double() * strength * side
    return sampled(mapped, rows + shifts[:, 1], columns + shifts[:, 0], mirrored_with_edge=True)


def _affine(draws: ExampleDraws, height: int, width: int, *, reach: float) -> Tensor:
    """Return for each image the map, (batch, 3, 2), from places (column, row, 1) to those whose values they get: that which undoes a move
    of three corners, each by at most `reach` pixels each way."""
    import torch

    moved = draws.uniform(3, 2, low=-reach, high=reach).double()
    centre = moved.new_tensor([width // 2, height // 2])
    size = min(height, width) // 3
    corners = centre + moved.new_tensor([[size, size], [size, -size], [-size, -size]])
    to = torch.cat([corners + moved, torch.ones_like(moved[..., :1])], dim=-1)
    undoes: Tensor = torch.linalg.solve(to, corners.expand(len(moved), 3, 2))
    return undoes


@corruption(published=True)
def pixelate(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:  # noqa: ARG001 (of every corruption)
    """Fewer pixels, enlarged."""
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1]

    def shrunk(image: Any) -> Any:
        from PIL.Image import Resampling

        smaller = [max(1, int(side * share)) for side in image.size]
        return image.resize(smaller, Resampling.BOX).resize(image.size, Resampling.BOX)

    return _by_pillow(images, shrunk)


@corruption(published=True)
def jpeg_compression(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:  # noqa: ARG001 (of every corruption)
    """A JPEG file of low quality."""
    quality = (80, 65, 58, 50, 40)[severity - 1]

    def compressed(image: Any) -> Any:
        import io

        from PIL import Image

        content = io.BytesIO()
        image.save(content, "JPEG", quality=quality)
        return Image.open(content)

    return _by_pillow(images, compressed)


def _by_pillow(images: Tensor, change: Callable[[Any], Any]) -> Tensor:
    """Return images after a change by Pillow, one by one, as bytes."""
    import numpy as np
    import torch
    from PIL import Image

    pixels = (images * 255).round().to(torch.uint8).cpu().permute(0, 2, 3, 1).numpy()
    changed = np.stack([np.asarray(change(Image.fromarray(one.squeeze(2) if one.shape[2] == 1 else one))) for one in pixels])
    found = torch.from_numpy(changed.reshape(pixels.shape)).permute(0, 3, 1, 2)
    return found.to(images.device, images.dtype) / 255
