"""Heat maps of robust accuracy over two axes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from orchestrator.naming.own_settings import hashable, sortable
from orchestrator.naming.varying_axes import Axes, ModelSettings, in_words, rank_in_words
from orchestrator.report.figures.attack_conditions import FigureRows
from orchestrator.report.figures.picture import Picture, Pictures, Record, percent, plain
from orchestrator.report.figures.theme import NEXT_TO_A_SCALE, SEQUENTIAL, drawn
from orchestrator.store import ResultRow

_THETA, _RANK, _RANKS = "model.theta", "model.rank_fraction", "model.rank_fractions"
_NEVER_AN_AXIS = frozenset({"seed", "sweep", "data.name", "model.tensorized", _RANKS})
_TOLD_BY_RANK = frozenset({"model.tensorized", _RANKS})
_FEWEST = 2
Models = Mapping[str, ModelSettings]


def heat_maps(rows: Sequence[ResultRow] | FigureRows) -> Pictures:
    """Draw robust accuracy over two axes (theta and rank where both vary), one map for each attack, epsilon, knowledge and kind of model in
    all else; a cell is the mean over training seeds. Kinds with fewer than two values of either have no map."""
    known = FigureRows.of(rows)
    models = {key: settings for (_, key), settings in known.models.items()}
    axes = Axes.of(models.values())
    pair = _pair(axes, list(models.values()))
    if len(pair) < _FEWEST:
        return {}
    apart = set(axes.titles) - {*pair, "seed"} - (_TOLD_BY_RANK if _RANK in pair else set())
    kinds = Axes({name: title for name, title in axes.titles.items() if name in apart}, {})
    found: Pictures = {}
    for condition in known.conditions(by_epsilon=True):
        of_kinds: dict[str, list[ResultRow]] = defaultdict(list)
        for row in condition.rows:
            of_kinds[kinds.label(models[row.model_key]) if apart else ""].append(row)
        for kind, of_kind in of_kinds.items():
            if all(len({_value(models[row.model_key], name) for row in of_kind}) >= _FEWEST for name in pair):
                label = f"{condition.label}, {kind}" if kind else condition.label
                found[label] = _picture(label, of_kind, models, {name: axes.titles.get(name, "rank") for name in pair})
    return found


def _pair(axes: Axes, models: Sequence[ModelSettings]) -> list[str]:
    """Return the names of the axes across and upwards: theta, rank, and then those of most values."""
    varying = {_RANK if name in _TOLD_BY_RANK else name for name in axes.titles}
    values = {name: len({hashable(_value(model, name)) for model in models}) for name in varying - _NEVER_AN_AXIS}
    order = [*axes.titles]
    return sorted(
        (name for name in values if values[name] >= _FEWEST),
        key=lambda name: (name != _THETA, name != _RANK, -values[name], order.index(name) if name in order else 0),
    )[:_FEWEST]


def _value(model: ModelSettings, name: str) -> str:
    return rank_in_words(model.get(_RANK), model.get(_RANKS)) if name == _RANK else in_words(model.get(name))


def _picture(label: str, rows: Sequence[ResultRow], models: Models, titles: Mapping[str, str]) -> Picture:
    across, up = titles
    cells: dict[tuple[str, str], list[ResultRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: [_order(models[row.model_key], name) for name in (up, across)]):
        cells[_value(models[row.model_key], across), _value(models[row.model_key], up)].append(row)
    table: list[Record] = [_cell(dict(zip(titles.values(), place, strict=True)), found) for place, found in cells.items()]
    words = {name: f"{title}, share of the full rank" if name == _RANK else title for name, title in titles.items()}
    drawing = drawn(
        [_map(table, titles[across], titles[up], _across(rows, models, across))],
        xaxis={"title": {"text": plain(words[across])}, "type": "category"},
        yaxis={"title": {"text": plain(words[up])}, "type": "category"},
        margin=NEXT_TO_A_SCALE,
        coloraxis={
            "colorscale": SEQUENTIAL,
            "cmin": 0,
            "cmax": 100,
            "colorbar": {"title": {"text": "robust accuracy (%)", "side": "right"}},
        },
    )
    said = "theta is the probability of keeping a latent component. " if _THETA in titles else ""
    caption = f"{said}Numbers are in %, means over training seeds where there are several."
    title = f"Robust accuracy over {' and '.join(titles.values())}: {label}"
    return Picture(title=title, drawing=drawing, table=table, caption=caption, epsilon=rows[0].epsilon)


def _across(rows: Sequence[ResultRow], models: Models, name: str) -> list[str]:
    found = sorted((models[row.model_key] for row in rows), key=lambda model: _order(model, name))
    return list(dict.fromkeys(_value(model, name) for model in found))


def _order(model: ModelSettings, name: str) -> tuple[int, float, str]:
    """Sort values as numbers, theta from 1 down, dense nets after all ranks."""
    value = model.get(name)
    if name == _THETA:
        return sortable(-value if isinstance(value, float) else value)
    return sortable(_value(model, name) if value is None else value)


def _cell(place: Record, rows: Sequence[ResultRow]) -> dict[str, Any]:
    shares = [row.robust_accuracy for row in rows if row.robust_accuracy is not None]
    one = rows[0] if len(rows) == 1 else None
    interval = {"95% low": percent(one.ci_low) if one else None, "95% high": percent(one.ci_high) if one else None}
    return {**place, "robust accuracy %": percent(fmean(shares)), **interval, "models": len(rows)}


def _map(table: list[Record], across: str, up: str, columns: Sequence[str]) -> dict[str, Any]:
    lines = list(dict.fromkeys(str(cell[up]) for cell in table))
    by_place = {(cell[across], cell[up]): cell for cell in table}
    grid = [[by_place.get((column, line)) for column in columns] for line in lines]
    where = f"{plain(across)} %{{x}}, {plain(up)} %{{y}}"
    return {
        "type": "heatmap",
        "x": [plain(column) for column in columns],
        "y": [plain(line) for line in lines],
        "z": [[cell and cell["robust accuracy %"] for cell in line] for line in grid],
        "customdata": [[[_interval(cell), cell and cell["models"]] for cell in line] for line in grid],
        "texttemplate": "%{z:.1f}",
        "coloraxis": "coloraxis",
        "hoverongaps": False,
        "xgap": 2,
        "ygap": 2,
        "hovertemplate": f"{where}: <b>%{{z:.1f}} %</b><br>%{{customdata[0]}}models: %{{customdata[1]}}<extra></extra>",
    }


def _interval(cell: Record | None) -> str:
    known = cell is not None and cell["95% low"] is not None and cell["95% high"] is not None
    return f"95% interval {cell['95% low']:.1f} to {cell['95% high']:.1f}<br>" if cell is not None and known else ""
