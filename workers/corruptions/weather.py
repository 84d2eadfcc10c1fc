"""Weather and light."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import corruption

if TYPE_CHECKING:
    from torch import Tensor

    from workers.corruptions.filters.draws import ExampleDraws

_SIDE = 32
_GREY = (0.299, 0.587, 0.114)


@corruption(published=True)
def snow(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:
    """Flakes that fall, twice over, on a whitened image."""
    import torch

    from workers.corruptions.filters.image_filters import moved, zoomed

    mean, deviation, zoom, least, radius, sigma, kept = (
        (0.1, 0.2, 1.0, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )[severity - 1]
    scale = min(images.shape[-2:]) / _SIDE
    flakes = zoomed(mean + deviation * draws.normal(1, *images.shape[2:]), zoom)
    flakes = (torch.where(flakes < least, 0.0, flakes).clamp(0, 1) * 255).floor() / 255
    flakes = moved(flakes, radius * scale, sigma=sigma * scale, degrees=draws.uniform(low=-135.0, high=-45.0))
    whitened = torch.maximum(images, _grey(images) * 1.5 + 0.5)
    return kept * images + (1 - kept) * whitened + flakes + flakes.rot90(2, (2, 3))


@corruption(published=True)
def fog(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:
    """Clouds (a plasma fractal) over an image, which loses contrast."""
    strength, roughness = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))[severity - 1]
    height, width = images.shape[2:]
    most = images.amax(dim=(1, 2, 3), keepdim=True)
    clouds = _plasma(draws, max(height, width), decay=roughness)[:, None, :height, :width]
    return (images + strength * clouds) * most / (most + strength)


def _plasma(draws: ExampleDraws, side: int, *, decay: float) -> Tensor:
    """Return fractal clouds in [0, 1] by the diamond-square algorithm, (batch, size, size), size the next power of two."""
    import torch

    size = step = 1 << max(1, (side - 1).bit_length())
    wobble = 100.0
    heights = torch.zeros_like(draws.uniform(size, size))

    def around(sums: Tensor) -> Tensor:
        return sums / 4 + wobble * draws.uniform(*sums.shape[1:], low=-wobble, high=wobble)

    while step > 1:
        half = step // 2
        corners = heights[:, ::step, ::step]
        squares = corners + corners.roll(-1, 1)
        squares = squares + squares.roll(-1, 2)
        heights[:, half::step, half::step] = around(squares)
        centres = heights[:, half::step, half::step]
        heights[:, ::step, half::step] = around(centres + centres.roll(1, 1) + corners + corners.roll(-1, 2))
        heights[:, half::step, ::step] = around(centres + centres.roll(1, 2) + corners + corners.roll(-1, 1))
        step, wobble = half, wobble / decay
    heights = heights - heights.amin(dim=(1, 2), keepdim=True)
    return heights / heights.amax(dim=(1, 2), keepdim=True)


@corruption(published=True)
def brightness(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:  # noqa: ARG001 (of every corruption)
    """A higher value at the same hue and saturation."""
    import torch

    added = (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1]
    value = images.amax(dim=1, keepdim=True)
    brighter = (value + added).clamp(0, 1)
    return torch.where(value > 0, images * brighter / value.clamp_min(1e-12), brighter)


@corruption
def saturate(images: Tensor, severity: int, draws: ExampleDraws) -> Tensor:  # noqa: ARG001 (of every corruption)
    """Less saturation, then more, at the same hue and value; an image of one channel stays as it is."""
    import torch

    factor, added = ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2))[severity - 1]
    if images.shape[1] == 1:
        return images
    value, least = images.amax(dim=1, keepdim=True), images.amin(dim=1, keepdim=True)
    before = torch.where(value > 0, (value - least) / value.clamp_min(1e-12), 0.0)
    after = (before * factor + added).clamp(0, 1)
    coloured = value - (value - images) * after / before.clamp_min(1e-12)
    red = value * torch.cat([torch.ones_like(after), 1 - after, 1 - after], dim=1)  # grey has the hue 0
    return torch.where(before > 0, coloured, red)


def _grey(images: Tensor) -> Tensor:
    """Return the luma of the images, (batch, 1, height, width)."""
    if images.shape[1] == 1:
        return images
    weights = images.new_tensor(_GREY)[:, None, None]
    return (images * weights).sum(dim=1, keepdim=True)
