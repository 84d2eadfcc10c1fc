"""Contour plots of loss surfaces around one example (the paper's figures 2 to 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.figures.picture import Picture, Pictures, Table, plain
from orchestrator.figures.theme import BESIDE_A_SCALE, SEQUENTIAL, drawn

LEVELS = 16
RADIUS = 32 / 255
"""Radius of the circle in the paper's figures, in input units."""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Losses around one example: `losses` (draws, n, n), row by row along the second direction, at the steps `axis` (n,), in input
    units, along both. `label` names the model, such as `theta 0.9`."""

    label: str
    losses: NDArray[np.floating]
    axis: NDArray[np.floating]
    first_direction: str = "gradient"
    second_direction: str = "random"


def loss_surfaces(surfaces: Sequence[Surface], *, radius: float = RADIUS) -> Pictures:
    """Draw contours of the mean loss over the draws, one figure for each surface, with one colour scale and a circle of `radius`.

    Raises:
        ValueError: the losses of a surface are not (draws, n, n) for an axis (n,).
    """
    for surface in surfaces:
        count = surface.axis.size
        if surface.losses.ndim != 3 or surface.losses.shape[1:] != (count, count) or not surface.losses.shape[0]:  # noqa: PLR2004
            raise ValueError(f"losses of shape {surface.losses.shape} over an axis of {count}: must be (draws, {count}, {count})")
    means = [np.round(surface.losses.mean(axis=0), 5) for surface in surfaces]
    low, high = (min(mean.min() for mean in means), max(mean.max() for mean in means)) if means else (0.0, 0.0)
    return {surface.label: _picture(surface, mean, float(low), float(high), radius) for surface, mean in zip(surfaces, means, strict=True)}


def _picture(surface: Surface, mean: NDArray[np.floating], low: float, high: float, radius: float) -> Picture:
    axis = [round(float(step), 5) for step in surface.axis]
    spread = np.round(surface.losses.std(axis=0), 5)
    table: Table = [
        {
            surface.first_direction: x,
            surface.second_direction: y,
            "mean loss": float(mean[j, i]),
            "deviation over draws": float(spread[j, i]),
        }
        for j, y in enumerate(axis)
        for i, x in enumerate(axis)
    ]
    count = len(axis)
    losses = [[row["mean loss"] for row in table[start : start + count]] for start in range(0, count * count, count)]
    contour = {
        "type": "contour",
        "x": axis,
        "y": axis,
        "z": losses,
        "coloraxis": "coloraxis",
        "contours": {"start": low, "end": high, "size": (high - low) / LEVELS or 1.0},  # Plotly's defaults would differ between the figures
        "line": {"width": 0.7, "color": "rgba(128,128,128,0.7)"},
        "hovertemplate": "%{x:.3f} along, %{y:.3f} across: loss <b>%{z:.3f}</b><extra></extra>",
    }
    circle = {"type": "circle", "x0": -radius, "x1": radius, "y0": -radius, "y1": radius, "line": {"color": "#ffffff", "width": 2}}
    outline = {**circle, "line": {"color": "#000000", "width": 4}}
    figure = drawn(
        [contour],
        xaxis={"title": {"text": f"{plain(surface.first_direction)} (input units)"}, "constrain": "domain"},
        yaxis={"title": {"text": f"{plain(surface.second_direction)} (input units)"}, "scaleanchor": "x", "constrain": "domain"},
        coloraxis={"colorscale": SEQUENTIAL, "cmin": low, "cmax": high, "colorbar": {"title": {"text": "loss", "side": "right"}}},
        shapes=[outline, circle],
        margin=BESIDE_A_SCALE,
    )
    draws = surface.losses.shape[0]
    mean_over = f"Mean over {draws} draws; the" if draws > 1 else "The"
    caption = f"{mean_over} circle is at {radius:.3f} ({255 * radius:g}/255)."
    return Picture(title=f"Loss surface: {surface.label}", figure=figure, table=table, caption=caption)
