"""Contour plots of loss surfaces around one example (the paper's figures 2 to 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.report.figures.picture import Picture, Pictures, Record
from orchestrator.report.figures.theme import NEXT_TO_A_SCALE, SEQUENTIAL, drawn

LEVELS = 16
RADIUS = 32 / 255
"""Radius of the circle in the paper's figures, in input units."""

_RED = "#e8112d"


@dataclass(frozen=True, kw_only=True)
class SurfacePlot:
    """Losses around one example: `losses` (draws, n, n), row by row along the second direction, at the steps `axis` (n,), in input
    units, along both. `label` names the model, such as `theta 0.9`.

    `right` (draws, n, n) is true where the predicted class is the true one, `ball` (corners, 2) the edge of the ball of radius 1 where it
    is no circle; without them neither is drawn.
    """

    label: str
    losses: NDArray[np.floating]
    axis: NDArray[np.floating]
    right: NDArray[np.bool_] | None = None
    ball: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        """Compare the shapes.

        Raises:
            ValueError: the losses are not (draws, n, n) for an axis (n,).
        """
        count = self.axis.size
        if self.losses.ndim != 3 or self.losses.shape[1:] != (count, count) or not self.losses.shape[0]:  # noqa: PLR2004
            raise ValueError(f"losses of shape {self.losses.shape} over an axis of {count}: must be (draws, {count}, {count})")


def loss_surfaces(surfaces: Sequence[SurfacePlot], *, radius: float = RADIUS) -> Pictures:
    """Draw contours of the mean loss over the draws, one figure for each surface, with one colour scale, a circle of `radius`, the ball of
    that radius where it differs, and the border of the true class."""
    means = [np.round(surface.losses.mean(axis=0), 5) for surface in surfaces]
    low, high = (float(min(mean.min() for mean in means)), float(max(mean.max() for mean in means))) if means else (0.0, 0.0)
    return {surface.label: _picture(surface, mean, low, high, radius) for surface, mean in zip(surfaces, means, strict=True)}


def _picture(surface: SurfacePlot, mean: NDArray[np.floating], low: float, high: float, radius: float) -> Picture:
    table = _records(surface, mean)
    border = [] if surface.right is None else [_border(surface, surface.right)]
    ball = [] if surface.ball is None else [_ball(surface.ball * radius)]
    middle = {"type": "scatter", "x": [0], "y": [0], "mode": "markers", "marker": {"color": _RED, "size": 5}, "hoverinfo": "skip"}
    circle = {"type": "circle", "x0": -radius, "x1": radius, "y0": -radius, "y1": radius, "line": {"color": _RED, "width": 1.5}}
    drawing = drawn(
        [_contours(surface, table, low, high), *border, *ball, middle],
        xaxis={"title": {"text": "gradient (input units)"}, "constrain": "domain"},
        yaxis={"title": {"text": "random (input units)"}, "scaleanchor": "x", "constrain": "domain"},
        coloraxis={"colorscale": SEQUENTIAL, "cmin": low, "cmax": high, "colorbar": {"title": {"text": "loss", "side": "right"}}},
        shapes=[circle],
        showlegend=False,
        margin=NEXT_TO_A_SCALE,
    )
    return Picture(title=f"Loss surface: {surface.label}", drawing=drawing, table=table, caption=_caption(surface, radius))


def _records(surface: SurfacePlot, mean: NDArray[np.floating]) -> list[Record]:
    steps = [round(float(step), 5) for step in surface.axis]
    spread = np.round(surface.losses.std(axis=0), 5)
    right = None if surface.right is None else np.round(100 * surface.right.mean(axis=0), 2)
    return [
        {
            "gradient": x,
            "random": y,
            "mean loss": float(mean[j, i]),
            "deviation over draws": float(spread[j, i]),
            **({} if right is None else {"right %": float(right[j, i])}),
        }
        for j, y in enumerate(steps)
        for i, x in enumerate(steps)
    ]


def _contours(surface: SurfacePlot, table: Sequence[Record], low: float, high: float) -> dict[str, Any]:
    count = surface.axis.size
    steps = [record["gradient"] for record in table[:count]]
    return {
        "type": "contour",
        "x": steps,
        "y": steps,
        "z": [[record["mean loss"] for record in table[start : start + count]] for start in range(0, count * count, count)],
        "coloraxis": "coloraxis",
        "contours": {"start": low, "end": high, "size": (high - low) / LEVELS or 1.0},  # Plotly's defaults would differ between the figures
        "line": {"width": 0.7, "color": "rgba(128,128,128,0.7)"},
        "hovertemplate": "%{x:.3f} along, %{y:.3f} across: loss <b>%{z:.3f}</b><extra></extra>",
    }


def _border(surface: SurfacePlot, right: NDArray[np.bool_]) -> dict[str, Any]:
    """The line where the predicted class begins or ceases to be the true one, in half of the draws."""
    steps = surface.axis.tolist()
    return {
        "type": "contour",
        "x": steps,
        "y": steps,
        "z": right.mean(axis=0).tolist(),
        "contours": {"start": 0.5, "end": 0.5, "size": 1, "coloring": "none"},
        "line": {"width": 2, "color": "black"},
        "showscale": False,
        "hoverinfo": "skip",
    }


def _ball(edge: NDArray[np.floating]) -> dict[str, Any]:
    x, y = np.round(edge, 5).T.tolist()
    return {"type": "scatter", "x": x, "y": y, "mode": "lines", "line": {"color": _RED, "dash": "dot", "width": 2}, "hoverinfo": "skip"}


def _caption(surface: SurfacePlot, radius: float) -> str:
    draws = surface.losses.shape[0]
    said = [f"{f'Mean over {draws} draws; the' if draws > 1 else 'The'} circle is at {radius:.3f} ({255 * radius:g}/255)"]
    said += ["dotted: the ball of that radius where the plane cuts it"] if surface.ball is not None else []
    said += ["black: where the predicted class begins or ceases to be the true one"] if surface.right is not None else []
    return "; ".join(said) + "."
