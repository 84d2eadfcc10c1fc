"""Scatter plots of models: clean and cost against robust accuracy, with the Pareto front."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from orchestrator.report.figures.attack_conditions import AttackCondition, FigureRows, Line, hover_settings, line_of
from orchestrator.report.figures.looks import Look, point_to_the_fore
from orchestrator.report.figures.picture import FAINT, ROBUST, Picture, Pictures, Record, error_bars, lines, number, percent, plain
from orchestrator.report.figures.theme import drawn, percent_axis
from orchestrator.store import ResultRow
from orchestrator.store.reading.report_evidence import JobCosts
from orchestrator.tables.table import Value

Cost = Literal["training seconds", "attack seconds", "parameters"]
MOST_NAMED = 16
_ORDER = 10
_FRONT = "on the front"
_INTERVAL = ("95% low", "95% high")


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """Horizontal axis: the column's title, its values, and whether higher values are better."""

    title: str
    value: Callable[[ResultRow], Value]
    more_is_better: bool


def pareto_fronts(rows: Sequence[ResultRow] | FigureRows, *, chosen: Collection[str] = ()) -> Pictures:
    """Draw clean against robust accuracy for each attack, epsilon and knowledge, with the Pareto front of the models. Of more than
    `MOST_NAMED` models only those on the front and the `chosen` ones (their keys) are named, and the others are faint."""
    return {label: pictures[0] for label, pictures in _pictures(rows, [_CLEAN], chosen).items()}


def cost_plots(rows: Sequence[ResultRow] | FigureRows, costs: JobCosts, *, cost: Cost, chosen: Collection[str] = ()) -> Pictures:
    """Draw robust accuracy against a cost for each attack, epsilon and knowledge: seconds of training (from the first ancestor on), seconds
    of the attack over its repeats, or the number of parameters. Models whose cost is not in the store are left out."""
    return {label: pictures[0] for label, pictures in _pictures(rows, [_cost(costs, cost)], chosen).items()}


def model_points(rows: Sequence[ResultRow] | FigureRows, costs: JobCosts) -> dict[str, list[Picture]]:
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


def _pictures(rows: Sequence[ResultRow] | FigureRows, axes: Sequence[_Axis], chosen: Collection[str] = ()) -> dict[str, list[Picture]]:
    known = FigureRows.of(rows)
    pictures: dict[str, list[Picture]] = {}
    for condition in known.conditions(by_epsilon=True):
        common, each = hover_settings(condition, known.words)
        texts = [lines(differing) for differing in each]
        of_condition = [_picture(condition, axis, known.looks, common, texts, chosen) for axis in axes]
        if any(picture.table for picture in of_condition):
            pictures[condition.label] = [picture for picture in of_condition if picture.table]
    return pictures


def _picture(
    condition: AttackCondition,
    axis: _Axis,
    found: Mapping[Line, Look],
    common: Sequence[str],
    texts: Sequence[str],
    chosen: Collection[str],
) -> Picture:
    known = [(row, value, text) for row, text in zip(condition.rows, texts, strict=True) if (value := axis.value(row)) is not None]
    table = [_point(row, {axis.title: value}, found[line_of(row)]) for row, value, _ in known]
    _mark_front(table, axis)
    few = len(known) <= MOST_NAMED
    groups: dict[_Style, list[tuple[Record, str]]] = defaultdict(list)
    for point, (row, _, text) in zip(table, known, strict=True):
        groups[_style(found[line_of(row)], is_named=few or bool(point[_FRONT]) or row.model_key in chosen)].append((point, text))
    ordered = sorted(groups.items(), key=lambda item: item[0].is_named)
    traces = [_points(style, of_style, axis, _hover(common, axis)) for style, of_style in ordered]
    drawing = drawn(
        [_front(table, axis), *traces],
        xaxis={"title": {"text": axis.title.replace(" %", " (%)")}, **_scale(table, axis)},
        yaxis=percent_axis("robust accuracy (%)"),
    )
    better = "right" if axis.more_is_better else "left"
    bars = "Bars are 95 % intervals." if few else "The others are faint; their 95 % intervals are in the table."
    return Picture(
        title=f"{axis.title.removesuffix(' %').capitalize()} against robust accuracy: {condition.label}",
        drawing=drawing,
        table=table,
        caption=f"Better is up and to the {better}; the dotted line joins the models that no other dominates. {bars}",
        faint={} if few else _faint(table, known, found),
        epsilon=condition.rows[0].epsilon,
    )


@dataclass(frozen=True)
class _Style:
    """Look of points that share a trace: those of a model that is named, or faint ones of one colour."""

    name: str
    colour: str
    marker: str
    is_named: bool


def _style(look: Look, *, is_named: bool) -> _Style:
    return _Style(look.name, look.colour, look.marker, True) if is_named else _Style(look.group, look.colour, "circle", False)


def _faint(table: Sequence[Record], known: Sequence[tuple[ResultRow, Value, str]], found: Mapping[Line, Look]) -> dict[str, dict[str, Any]]:
    """Return how faint models look once they are chosen."""
    of_table = [found[line_of(row)] for row, *_ in known]
    return {plain(look.name): point_to_the_fore(look) for point, look in zip(table, of_table, strict=True) if not point[_FRONT]}


def _point(row: ResultRow, value: Record, look: Look) -> Record:
    robust = {ROBUST: percent(row.robust_accuracy), "95% low": percent(row.ci_low), "95% high": percent(row.ci_high)}
    return {"model": look.name, **look.cells, **value, **robust, _FRONT: False, "model key": row.model_key[:8]}


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
    ordered = sorted(table, key=lambda point: (sign * number(point[axis.title]), -number(point[ROBUST])))
    for point in ordered:
        equal = [number(point[name]) for name in (axis.title, ROBUST)]
        if number(point[ROBUST]) > best:
            best, last = number(point[ROBUST]), equal
            point[_FRONT] = True
        elif equal == last:
            point[_FRONT] = True


def _front(table: list[Record], axis: _Axis) -> dict[str, Any]:
    front = sorted((point for point in table if point[_FRONT]), key=lambda point: number(point[axis.title]))
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [point[axis.title] for point in front],
        "y": [point[ROBUST] for point in front],
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


def _points(style: _Style, found: Sequence[tuple[Record, str]], axis: _Axis, hover: str) -> dict[str, Any]:
    points = [point for point, _ in found]
    low, high = _INTERVAL
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [point[axis.title] for point in points],
        "y": [point[ROBUST] for point in points],
        **({"error_y": error_bars(points, ROBUST, low=low, high=high)} if style.is_named else {"opacity": 0.4, "meta": FAINT}),
        "marker": {"color": style.colour, "symbol": style.marker, "size": 9 if style.is_named else 6},
        "name": plain(style.name),
        "text": [text for _, text in found],
        "customdata": [[plain(str(point["model"])), *(f"{number(point[end]):.1f}" for end in _INTERVAL)] for point in points],
        "hovertemplate": hover,
    }
