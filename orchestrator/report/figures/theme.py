"""Colours, marks and axes that all figures share; distinguishable without colour vision, on white and on near-black."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go

Drawing = dict[str, Any]
"""A figure as plotly.js takes it: `data` and `layout`, of plain values alone. Plotly's own classes, which check it, are made from it where
one figure is shown (`figure_of`): for the hundreds of a report they take longer than all else."""

PALETTE = ("#0078b8", "#d55e00", "#009368", "#c069a0", "#8a7a00", "#7568c4", "#7a7a7a")
"""Colours after Okabe & Ito (2008, "Color Universal Design"), each darkened or lightened until it contrasts 3:1 with both `GROUNDS`."""

_ORDERED = ("#5f5fd3", "#0078b8", "#008577", "#80800f", "#d55e00")
"""Stops of a scale for ordered values, from blue to orange as Cividis goes, with the palette's contrast to both grounds throughout."""

GROUNDS = {"light": "#ffffff", "dark": "#14171c"}
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "x", "star")
SEQUENTIAL = "Cividis"
CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "responsive": True,
    "plotlyServerURL": "",
    "modeBarButtons": [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
}
"""Configuration of plotly.js: without its default button that uploads the figure to a server."""

_LETTERS_BELOW = 80
"""Letters of legend that fit below a figure in one line."""

_FEW = 6
"""Names of a legend that are never scrolled, also where each takes a line, as on a phone."""

NEXT_TO_A_SCALE = {"l": 56, "r": 16, "t": 36, "b": 48}
"""Margins of a figure with a colour scale, which would otherwise overlap the buttons."""

_INKS = {"light": ("#1c2733", "#dfe4ea", "#f4f6f8"), "dark": ("#d7dde4", "#343b45", "#1f242c")}


def faded(colour: str, opacity: float) -> str:
    """Return the `#rrggbb` colour with an opacity."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def ordered_colours(count: int) -> list[str]:
    """Return so many colours of the scale for ordered values, from the lowest to the highest."""
    stops = np.array([[int(colour[start : start + 2], 16) for start in (1, 3, 5)] for colour in _ORDERED], dtype=np.float64)
    places = np.linspace(0, len(stops) - 1, count)
    mixed = np.stack([np.interp(places, np.arange(len(stops)), channel) for channel in stops.T], axis=1).round().astype(int).tolist()
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in mixed]


def template(ground: str) -> dict[str, Any]:
    """Return the template for the `light` or the `dark` ground; the figure's own background is transparent."""
    ink, grid, raised = _INKS[ground]
    axis = {"gridcolor": grid, "linecolor": grid, "zerolinecolor": grid, "tickcolor": grid, "automargin": True, "title": {"standoff": 8}}
    return {
        "layout": {
            "font": {"family": "system-ui, sans-serif", "size": 13, "color": ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(PALETTE),
            "hoverlabel": {"bgcolor": raised, "bordercolor": grid, "font": {"color": ink, "size": 12}, "align": "left", "namelength": -1},
            "xaxis": axis,
            "yaxis": axis,
            "coloraxis": {"colorbar": {"outlinewidth": 0, "thickness": 12}},
            "legend": {"bgcolor": "rgba(0,0,0,0)"},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": faded(PALETTE[-1], 0.6), "activecolor": ink},
        }
    }


TEMPLATES = {ground: template(ground) for ground in GROUNDS}


def drawn(traces: Sequence[dict[str, Any]], **layout: Any) -> Drawing:
    """Return the drawing of these traces: legend below, space for it and for titles, no template."""
    names = [str(trace["name"]) for trace in traces if trace.get("name") and trace.get("showlegend") is not False]
    longest = max(map(len, names), default=0)
    lines = -(-len(names) // max(1, _LETTERS_BELOW // (longest + 8)))
    settings: dict[str, Any] = {
        "margin": {"l": 56, "r": 16, "t": 16, "b": 48},
        "hovermode": "closest",
        "legend": {
            "orientation": "h",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "x": 0,
            "maxheight": 24 * max(lines, min(len(names), _FEW)) + 24,
            "tracegroupgap": 0,
        },
        "height": max(420, 340 + 20 * lines),
    }
    return {"data": list(traces), "layout": {**settings, **layout}}


def figure_of(drawing: Drawing) -> "go.Figure":
    """Return the drawing as a figure of Plotly, without template.

    Raises:
        ValueError: plotly.js has no such property, or it cannot have the value.
    """
    import plotly.graph_objects as go

    return go.Figure(data=drawing["data"], layout={"template": "none", **drawing["layout"]})


def percent_axis(title: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": title}, "range": [-2, 102], "ticksuffix": "", **more}
