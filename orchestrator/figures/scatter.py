"""Scatter plots of models: clean and cost against robust accuracy, with the Pareto front."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from orchestrator.figures.attack_conditions import Condition, Line, conditions, hover_settings, line_names, line_of
from orchestrator.figures.picture import Picture, Pictures, Record, lines, number, percent, plain
from orchestrator.figures.theme import Marks, drawn, percent_axis
from orchestrator.store import ResultRow
from orchestrator.store.reading.report_evidence import JobCosts
from orchestrator.tables.table import Value

Cost = Literal["training seconds", "attack seconds", "parameters"]
MOST_NAMED = 16
_ORDER = 10
_FRONT = "on the front"
_ROBUST = "robust accuracy %"
_INTERVAL = ("95% low", "95% high")


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """Horizontal axis: the column's title, its values, and whether higher values are better."""

    title: str
    value: Callable[[ResultRow], Value]
    more_is_better: bool


def pareto_fronts(rows: Sequence[ResultRow]) -> Pictures:
    """Draw clean against robust accuracy for each attack, epsilon and knowledge, with the Pareto front of the models."""
    return {label: pictures[0] for label, pictures in _pictures(rows, [_CLEAN]).items()}


def cost_plots(rows: Sequence[ResultRow], costs: JobCosts, *, cost: Cost) -> Pictures:
    """Draw robust accuracy against a cost for each attack, epsilon and knowledge: seconds of training (from the first ancestor on), seconds
    of the attack over its repeats, or the number of parameters. Models whose cost is not in the store are left out."""
    return {label: pictures[0] for label, pictures in _pictures(rows, [_cost(costs, cost)]).items()}


def model_points(rows: Sequence[ResultRow], costs: JobCosts) -> dict[str, list[Picture]]:
    """Draw for each attack, epsilon and knowledge the picture of `pareto_fronts`, then those of `cost_plots`; empty ones are left out."""
    return _pictures(rows, [_CLEAN, *(_cost(costs, cost) for cost in get_args(Cost))])


_CLEAN = _Axis(title="clean accuracy %", value=lambda row: percent(row.clean_accuracy), more_is_better=True)


def _cost(costs: JobCosts, cost: Cost) -> _Axis:
    values: dict[Cost, Callable[[ResultRow], Value]] = {
        "parameters": lambda row: row.n_parameters,
        "training seconds": lambda row: costs.training(row.model_key),
        "attack seconds": lambda row: costs.measuring(row.job_keys),
    }
    return _Axis(title=cost, value=values[cost], more_is_better=False)


def _pictures(rows: Sequence[ResultRow], axes: Sequence[_Axis]) -> dict[str, list[Picture]]:
    marks, names = Marks(row.theta for row in rows), line_names(rows)
    found: dict[str, list[Picture]] = {}
    for condition in conditions(rows, by_epsilon=True):
        common, each = hover_settings(condition.rows)
        texts = [lines(differing) for differing in each]
        pictures = [_picture(condition, axis, marks, names, common, texts) for axis in axes]
        if any(picture.table for picture in pictures):
            found[condition.label] = [picture for picture in pictures if picture.table]
    return found


def _picture(
    condition: Condition, axis: _Axis, marks: Marks, names: Mapping[Line, str], common: Sequence[str], texts: Sequence[str]
) -> Picture:
    known = [(row, value, text) for row, text in zip(condition.rows, texts, strict=True) if (value := axis.value(row)) is not None]
    table = [_point(row, {axis.title: value}, names[line_of(row)]) for row, value, _ in known]
    _mark_front(table, axis)
    few = len(known) <= MOST_NAMED
    groups: dict[tuple[float, str], list[tuple[dict[str, Any], str]]] = defaultdict(list)
    for point, (row, _, text) in zip(table, known, strict=True):
        groups[row.theta, names[line_of(row)] if few else f"theta {row.theta:g}"].append((point, text))
    hover = _hover(common, axis)
    traces = [_points(key, found, axis, marks, hover, error_bars=few) for key, found in groups.items()]
    figure = drawn(
        [_front(table, axis), *traces],
        xaxis={"title": {"text": axis.title.replace(" %", " (%)")}, **_scale(table, axis)},
        yaxis=percent_axis("robust accuracy (%)"),
    )
    better = "right" if axis.more_is_better else "left"
    bars = "Bars are 95 % intervals." if few else "95 % intervals are in the table."
    return Picture(
        title=f"{axis.title.removesuffix(' %').capitalize()} against robust accuracy: {condition.label}",
        figure=figure,
        table=table,
        caption=f"Better is up and to the {better}; the dotted line joins the models that no other dominates. {bars}",
    )


def _point(row: ResultRow, value: Record, name: str) -> Record:
    robust = {_ROBUST: percent(row.robust_accuracy), "95% low": percent(row.ci_low), "95% high": percent(row.ci_high)}
    return {"model": name, "theta": row.theta, **value, **robust, _FRONT: False}


def _scale(table: list[Record], axis: _Axis) -> dict[str, Any]:
    """Return the axis settings: accuracies unchanged; costs from 0 on, or logarithmic where they span an order of magnitude."""
    if axis.more_is_better or not table:
        return {}
    values = [number(point[axis.title]) for point in table]
    if min(values) > 0 and max(values) >= _ORDER * min(values):
        return {"type": "log", "dtick": 1 if max(values) >= _ORDER**2 * min(values) else "D2"}
    return {"rangemode": "tozero"}


def _mark_front(table: list[Record], axis: _Axis) -> None:
    """Mark the points that no other point dominates (is at least as good in both and better in one)."""
    sign = -1 if axis.more_is_better else 1
    best = float("-inf")
    ordered = sorted(table, key=lambda point: (sign * number(point[axis.title]), -number(point[_ROBUST])))
    for point in ordered:
        equal = [number(point[name]) for name in (axis.title, _ROBUST)]
        if number(point[_ROBUST]) > best:
            best, last = number(point[_ROBUST]), equal
            point[_FRONT] = True
        elif equal == last:
            point[_FRONT] = True


def _front(table: list[Record], axis: _Axis) -> dict[str, Any]:
    front = sorted((point for point in table if point[_FRONT]), key=lambda point: number(point[axis.title]))
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [point[axis.title] for point in front],
        "y": [point[_ROBUST] for point in front],
        # Between two points of the front, only the values of the worse of the two are certain to be reached.
        "line": {"shape": "vh" if axis.more_is_better else "hv", "color": "#7a7a7a", "width": 1.5, "dash": "dot"},
        "name": "Pareto front",
        "hoverinfo": "skip",
    }


def _hover(common: Sequence[str], axis: _Axis) -> str:
    settings = lines(common).replace("%{", "%&#123;")
    figures = (
        f"{axis.title.removesuffix(' %')} %{{x:.4~g}}, robust <b>%{{y:.1f}} %</b>, 95% interval %{{customdata[1]}} to %{{customdata[2]}}"
    )
    return f"<b>%{{customdata[0]}}</b><br>{figures}<br>%{{text}}<br>{settings}<extra></extra>"


def _points(
    key: tuple[float, str], found: Sequence[tuple[dict[str, Any], str]], axis: _Axis, marks: Marks, hover: str, *, error_bars: bool
) -> dict[str, Any]:
    theta, name = key
    points = [point for point, _ in found]
    error = {"type": "data", "symmetric": False, "thickness": 1, "width": 3}
    error["array"] = [point["95% high"] - point[_ROBUST] for point in points]
    error["arrayminus"] = [point[_ROBUST] - point["95% low"] for point in points]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [point[axis.title] for point in points],
        "y": [point[_ROBUST] for point in points],
        **({"error_y": error} if error_bars else {}),
        "marker": {"color": marks.colour(theta), "symbol": marks.symbol(theta, name), "size": 9 if error_bars else 7},
        "name": plain(name),
        "text": [text for _, text in found],
        "customdata": np.array([[plain(point["model"]), *(f"{point[end]:.1f}" for end in _INTERVAL)] for point in points], dtype=object),
        "hovertemplate": hover,
    }
