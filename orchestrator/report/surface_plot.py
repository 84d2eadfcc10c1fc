"""Contour plot of one loss surface. Imported only where Plotly is installed."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import get_colorscale

from orchestrator.report.surface_grids import SurfaceGrid

_SCALE, _LEVELS, _RED = "Viridis", 16, "#e8112d"


def gradient_css() -> str:
    """Return the colour scale from the least loss to the greatest, as CSS."""
    return f"linear-gradient(to right, {', '.join(f'{colour} {share:.1%}' for share, colour in get_colorscale(_SCALE))})"


def panel(grid: SurfaceGrid, *, draw: int, scale: tuple[float, float], epsilon: float, name: str) -> str:
    """Return the plot as an HTML fragment, without Plotly's own script.

    Args:
        grid: the surface.
        draw: index of the draw.
        scale: losses of the first and the last colour.
        epsilon: radius of the circle and of the ball, in input units.
        name: id of the fragment, unique on its page.
    """
    figure = go.Figure([_losses(grid, draw, scale), _borders(grid, draw), *_rings(grid, epsilon)])
    extent = grid.row.extent
    ticks = [-extent, -extent / 2, 0, extent / 2, extent]
    axis = {"range": [-extent, extent], "showgrid": False, "zeroline": False, "ticks": "outside", "tickvals": ticks, "constrain": "domain"}
    figure.update_layout(
        template="simple_white",
        xaxis={**axis, "title": {"text": "gradient", "standoff": 2}},
        yaxis={**axis, "title": {"text": "random", "standoff": 2}, "scaleanchor": "x"},
        font={"size": 11},
        margin={"l": 48, "r": 12, "t": 10, "b": 36},
        height=290,
        showlegend=False,
    )
    text: str = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displayModeBar": False, "responsive": True})
    return text


def _losses(grid: SurfaceGrid, draw: int, scale: tuple[float, float]) -> Any:
    least, greatest = scale
    step = (greatest - least) / _LEVELS or 1.0
    return go.Contour(
        x=grid.coordinates,
        y=grid.coordinates,
        z=grid.losses[draw],
        customdata=grid.predictions[draw],
        colorscale=_SCALE,
        zmin=least,
        zmax=greatest,
        contours={"start": least + step, "end": greatest - step, "size": step},
        line={"width": 0.5, "color": "rgba(255, 255, 255, 0.5)"},
        showscale=False,
        hovertemplate="x %{x:.3f}, y %{y:.3f}<br>loss %{z:.4g}<br>predicted %{customdata}<extra></extra>",
    )


def _borders(grid: SurfaceGrid, draw: int) -> Any:
    """Return the contours where the predicted class begins or ceases to be the true one."""
    right = (grid.predictions[draw] == grid.row.label).astype(np.float32)
    return go.Contour(
        x=grid.coordinates,
        y=grid.coordinates,
        z=right,
        contours={"start": 0.5, "end": 0.5, "size": 1, "coloring": "none"},
        line={"width": 1.5, "color": "black"},
        showscale=False,
        hoverinfo="skip",
    )


def _rings(grid: SurfaceGrid, epsilon: float) -> list[Any]:
    """Return the circle of radius epsilon, the ball's edge where it differs, and the example in the middle."""
    angles = np.linspace(0, 2 * np.pi, 181)
    circle = epsilon * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lines = [(circle, "solid", 1.5)] + ([] if grid.row.norm == "l2" else [(grid.ball(epsilon), "dot", 2.0)])
    rings = [
        go.Scatter(x=points[:, 0], y=points[:, 1], mode="lines", line={"color": _RED, "dash": dash, "width": width}, hoverinfo="skip")
        for points, dash, width in lines
    ]
    return [*rings, go.Scatter(x=[0], y=[0], mode="markers", marker={"color": _RED, "size": 5}, hoverinfo="skip")]
