"""Curves of accuracy against epsilon: the paper's figure 1, one figure for each attack and knowledge."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import log2
from typing import Any

import numpy as np

from orchestrator.figures.attack_conditions import Condition, Line, conditions, hover_settings, line_names, line_of
from orchestrator.figures.picture import Picture, Pictures, Record, lines, percent, plain
from orchestrator.figures.theme import Marks, drawn, faded, percent_axis
from orchestrator.store import ResultRow

MOST_BANDS = 8
MOST_LINES = 24
_CLEAN = "0"
_INTERVAL = ("95% low", "95% high")
Points = list[tuple[dict[str, Any], list[str]]]


def accuracy_curves(rows: Sequence[ResultRow]) -> Pictures:
    """Draw accuracy against epsilon with 95 % bands, one line for each model; epsilon 0 is the clean accuracy.

    The epsilon axis is logarithmic, labelled with the epsilons as the users wrote them. More than `MOST_BANDS` lines have no bands; of
    more than `MOST_LINES` those of one theta share a legend entry.
    """
    marks, names = Marks(row.theta for row in rows), line_names(rows)
    return {found.label: _picture(found, marks, names) for found in conditions(rows, by_epsilon=False)}


def _picture(condition: Condition, marks: Marks, names: Mapping[Line, str]) -> Picture:
    places = epsilon_places(condition.rows)
    common, each = hover_settings(condition.rows)
    points: dict[Line, Points] = defaultdict(list)
    for row, differing in sorted(zip(condition.rows, each, strict=True), key=lambda pair: pair[0].epsilon):
        line = line_of(row)
        if line not in points:
            points[line] += _clean(row, names[line])
        points[line].append((_point(row, names[line]), differing))
    ordered = sorted(points.values(), key=lambda found: (-found[0][0]["theta"], found[0][0]["model"]))
    hover = _hover(common)
    if len(ordered) > MOST_LINES:
        traces = [trace for theta in _thetas(ordered) for trace in _bundle(theta, ordered, places, marks, hover)]
    else:
        traces = [trace for found in ordered for trace in _line(found, places, marks, hover, band=len(ordered) <= MOST_BANDS)]
    figure = drawn(
        traces,
        xaxis={
            "title": {"text": "epsilon"},
            "range": [-0.2, max(places.values()) + 0.2],
            "tickvals": list(places.values()),
            "ticktext": _ticks(condition.rows, places),
        },
        yaxis=percent_axis("accuracy (%)"),
    )
    table: list[Record] = [point for found in ordered for point, _ in found]
    return Picture(title=f"Accuracy against epsilon: {condition.label}", figure=figure, table=table, caption=_caption(len(ordered)))


def epsilon_places(rows: Sequence[ResultRow]) -> dict[float, float]:
    """Return the position of each epsilon on the axis: its binary logarithm, shifted so that the smallest is at 1, and epsilon 0 at 0."""
    epsilons = sorted({row.epsilon for row in rows})
    return {0.0: 0.0} | {epsilon: round(1 + log2(epsilon / epsilons[0]), 4) for epsilon in epsilons}


def _ticks(rows: Sequence[ResultRow], places: Mapping[float, float]) -> list[str]:
    literals = {0.0: "clean"} | {row.epsilon: plain(row.epsilon_literal) for row in reversed(rows)}
    return [literals[epsilon] for epsilon in places]


def _point(row: ResultRow, name: str) -> dict[str, Any]:
    return {
        "model": name,
        "theta": row.theta,
        "epsilon": row.epsilon_literal,
        "epsilon (input units)": row.epsilon,
        "accuracy %": percent(row.robust_accuracy),
        "95% low": percent(row.ci_low),
        "95% high": percent(row.ci_high),
        "repeats": row.repeats,
    }


def _clean(row: ResultRow, name: str) -> Points:
    """Return the point at epsilon 0, if the clean accuracy is known."""
    if row.clean_accuracy is None:
        return []
    accuracies = {"accuracy %": row.clean_accuracy, "95% low": row.clean_ci_low, "95% high": row.clean_ci_high}
    clean = _point(row, name) | {"epsilon": _CLEAN, "epsilon (input units)": 0.0, "repeats": None}
    return [(clean | {quantity: percent(share) for quantity, share in accuracies.items()}, ["no attack"])]


def _hover(common: Sequence[str]) -> str:
    settings = lines(common).replace("%{", "%&#123;")
    figures = "<b>%{y:.1f} %</b>, 95% interval %{customdata[1]} to %{customdata[2]}"
    return f"<b>%{{customdata[0]}}</b><br>epsilon %{{customdata[3]}}: {figures}<br>%{{text}}<br>{settings}<extra></extra>"


def _coordinates(found: Points, places: Mapping[float, float]) -> dict[str, Any]:
    points = [point for point, _ in found]
    return {
        "x": [places[point["epsilon (input units)"]] for point in points],
        "y": [point["accuracy %"] for point in points],
        "text": [lines(differing) for _, differing in found],
        "customdata": np.array(
            [[plain(point["model"]), *(f"{point[end]:.1f}" for end in _INTERVAL), plain(point["epsilon"])] for point in points],
            dtype=object,
        ),
    }


def _line(found: Points, places: Mapping[float, float], marks: Marks, hover: str, *, band: bool) -> list[dict[str, Any]]:
    name, theta = found[0][0]["model"], found[0][0]["theta"]
    colour = marks.colour(theta)
    style = {"color": colour, "dash": marks.dash(theta, name), "width": 2}
    curve = {
        **_coordinates(found, places),
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(name),
        "legendgroup": plain(name),
        "line": style,
        "marker": {"symbol": marks.symbol(theta, name), "size": 7},
        "hovertemplate": hover,
    }
    return [*([_band(found, curve, colour)] if band else []), curve]


def _band(found: Points, curve: Mapping[str, Any], colour: str) -> dict[str, Any]:
    points = [point for point, _ in found]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [*curve["x"], *reversed(curve["x"])],
        "y": [*(point["95% high"] for point in points), *(point["95% low"] for point in reversed(points))],
        "fill": "toself",
        "fillcolor": faded(colour, 0.16),
        "line": {"width": 0, "color": colour},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": curve["legendgroup"],
    }


def _thetas(ordered: Sequence[Points]) -> list[float]:
    return list(dict.fromkeys(found[0][0]["theta"] for found in ordered))


def _bundle(theta: float, ordered: Sequence[Points], places: Mapping[float, float], marks: Marks, hover: str) -> list[dict[str, Any]]:
    """Return all lines of one theta as one trace, each line ended by a gap."""
    joined: dict[str, list[Any]] = defaultdict(list)
    for found in ordered:
        if found[0][0]["theta"] == theta:
            for name, values in _coordinates(found, places).items():
                joined[name] += [*values, [None] * len(values[0]) if name == "customdata" else None]
    joined["customdata"] = np.array(joined["customdata"], dtype=object)  # type: ignore[assignment]
    style = {"color": faded(marks.colour(theta), 0.45), "width": 1}
    return [{**joined, "type": "scatter", "mode": "lines", "name": f"theta {theta:g}", "line": style, "hovertemplate": hover}]


def _caption(count: int) -> str:
    if count <= MOST_BANDS:
        return "Bands are 95 % intervals."
    without = "Bands are left out, the table has the 95 % intervals."
    return without if count <= MOST_LINES else f"{count} models, coloured by theta. {without}"
