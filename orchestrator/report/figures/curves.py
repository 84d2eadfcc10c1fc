"""Curves of accuracy against epsilon: the paper's figure 1, one figure for each attack and knowledge."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from math import log2
from typing import Any

from orchestrator.report.figures.attack_conditions import (
    AttackCondition,
    FigureRows,
    Hover,
    Line,
    best_models,
    hover_settings,
    line_of,
)
from orchestrator.report.figures.looks import Look, line_style, line_to_the_fore
from orchestrator.report.figures.picture import FAINT, Picture, Pictures, Record, lines, percent, plain
from orchestrator.report.figures.theme import drawn, faded, percent_axis
from orchestrator.store import ResultRow

MOST_BANDS = 8
MOST_LINES = 16
_CLEAN = "0"
_INTERVAL = ("95% low", "95% high")
Points = list[tuple[dict[str, Any], list[str]]]


def accuracy_curves(rows: Sequence[ResultRow] | FigureRows, *, chosen: Collection[str] = (), among: Sequence[ResultRow] = ()) -> Pictures:
    """Draw accuracy against epsilon with 95 % bands, one line for each model; epsilon 0 is the clean accuracy.

    The epsilon axis is logarithmic, labelled with the epsilons as the users wrote them. More than `MOST_BANDS` lines have no bands; of
    more than `MOST_LINES` only the `chosen` models (their keys) and the best are named, and the others are faint. Models look as they do
    `among` those of further rows.
    """
    known = FigureRows.of(rows)
    conditions = known.conditions(by_epsilon=False)
    found = FigureRows.of([*known.rows, *among]).looks if among else known.looks
    return {one.label: _picture(one, hover_settings(one, known.words), found, chosen) for one in conditions}


def _picture(condition: AttackCondition, said: Hover, found: Mapping[Line, Look], chosen: Collection[str]) -> Picture:
    places = epsilon_places(condition.rows)
    common, each = said
    points: dict[Line, Points] = defaultdict(list)
    for row, differing in sorted(zip(condition.rows, each, strict=True), key=lambda pair: pair[0].epsilon):
        line = line_of(row)
        if line not in points:
            points[line] += _clean(row, found[line])
        points[line].append((_point(row, found[line]), differing))
    named = set(points)
    if len(points) > MOST_LINES:
        to_the_fore = {*chosen, *best_models(condition.rows)}
        named = {line for line in points if line[1] in to_the_fore}
    hover = _hover(common)
    groups: dict[tuple[str, str], list[Points]] = defaultdict(list)
    for line in (line for line in points if line not in named):
        groups[found[line].group, found[line].colour].append(points[line])
    traces = [_faint(*group, of_group, places, hover) for group, of_group in groups.items()]
    for line in (line for line in points if line in named):
        traces += _line(points[line], found[line], places, hover, band=len(points) <= MOST_BANDS)
    drawing = drawn(
        traces,
        xaxis={
            "title": {"text": "epsilon"},
            "range": [-0.2, max(places.values()) + 0.2],
            "tickvals": list(places.values()),
            "ticktext": _ticks(condition.rows, places),
        },
        yaxis=percent_axis("accuracy (%)"),
    )
    table: list[Record] = [point for of_line in points.values() for point, _ in of_line]
    return Picture(
        title=f"Accuracy against epsilon: {condition.label}",
        drawing=drawing,
        table=table,
        caption=_caption(len(points)),
        faint={plain(found[line].name): line_to_the_fore(found[line]) for line in points if line not in named},
    )


def epsilon_places(rows: Sequence[ResultRow]) -> dict[float, float]:
    """Return the position of each epsilon on the axis: its binary logarithm, shifted so that the smallest is at 1, and epsilon 0 at 0."""
    epsilons = sorted({row.epsilon for row in rows})
    return {0.0: 0.0} | {epsilon: round(1 + log2(epsilon / epsilons[0]), 4) for epsilon in epsilons}


def _ticks(rows: Sequence[ResultRow], places: Mapping[float, float]) -> list[str]:
    literals = {0.0: "clean"} | {row.epsilon: plain(row.epsilon_literal) for row in reversed(rows)}
    return [literals[epsilon] for epsilon in places]


def _point(row: ResultRow, look: Look) -> dict[str, Any]:
    return {
        "model": look.name,
        **look.cells,
        "epsilon": row.epsilon_literal,
        "epsilon (input units)": row.epsilon,
        "accuracy %": percent(row.robust_accuracy),
        "95% low": percent(row.ci_low),
        "95% high": percent(row.ci_high),
        "repeats": row.repeats,
        "model key": row.model_key[:8],
    }


def _clean(row: ResultRow, look: Look) -> Points:
    """Return the point at epsilon 0, if the clean accuracy is known."""
    if row.clean_accuracy is None:
        return []
    accuracies = {"accuracy %": row.clean_accuracy, "95% low": row.clean_ci_low, "95% high": row.clean_ci_high}
    clean = _point(row, look) | {"epsilon": _CLEAN, "epsilon (input units)": 0.0, "repeats": None}
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
        "customdata": [[plain(point["model"]), *(f"{point[end]:.1f}" for end in _INTERVAL), plain(point["epsilon"])] for point in points],
    }


def _line(found: Points, look: Look, places: Mapping[float, float], hover: str, *, band: bool) -> list[dict[str, Any]]:
    curve = {
        **_coordinates(found, places),
        "type": "scatter",
        "mode": "lines+markers",
        "name": plain(look.name),
        "legendgroup": plain(look.name),
        **line_style(look),
        "hovertemplate": hover,
    }
    return [*([_band(found, curve, look.colour)] if band else []), curve]


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


def _faint(group: str, colour: str, lines_of_group: Sequence[Points], places: Mapping[float, float], hover: str) -> dict[str, Any]:
    """Return all other lines of one colour as one trace, each line ended by a gap."""
    joined: dict[str, list[Any]] = defaultdict(list)
    for found in lines_of_group:
        for name, values in _coordinates(found, places).items():
            joined[name] += [*values, [None] * len(values[0]) if name == "customdata" else None]
    style = {"color": faded(colour, 0.3), "width": 1}
    return {**joined, "type": "scatter", "mode": "lines", "name": plain(group), "line": style, "hovertemplate": hover, "meta": FAINT}


def _caption(count: int) -> str:
    if count <= MOST_BANDS:
        return "Bands are 95 % intervals."
    without = "Bands are left out, the table has the 95 % intervals."
    return without if count <= MOST_LINES else f"{count} models: the best, and those chosen, by name, the others faint. {without}"
