"""Pictures of a search or a grid: its front, its history, and every model by each parameter."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from orchestrator.report.figures import Picture
from orchestrator.report.figures.picture import Record, error_bars, number, plain
from orchestrator.report.figures.theme import PALETTE, SYMBOLS, drawn
from orchestrator.report.study.candidates import Candidate, Field, ObjectiveValue, is_accuracy
from orchestrator.tables.table import Value

_QUIET = PALETTE[-1]
BEST, _OTHER, _OUT = "on the front", "dominated", "left out"
_STANDING = {BEST: (PALETTE[1], SYMBOLS[0], 11), _OTHER: (PALETTE[0], SYMBOLS[1], 7), _OUT: (_QUIET, SYMBOLS[6], 7)}
_FEWEST = 2
_FEW_TRIALS = 12  # each has a tick; of more a figure chooses ticks, all at whole numbers


def standings(field: Field, kept: Sequence[Candidate], best: Sequence[Candidate]) -> list[str]:
    """Return the standing of each candidate: on the front, dominated, or left out."""
    admitted, first = {id(one) for one in kept}, {id(one) for one in best}
    return [BEST if id(one) in first else _OTHER if id(one) in admitted else _OUT for one in field.candidates]


def shown(objective: str, figure: ObjectiveValue) -> tuple[float, float | None, float | None]:
    """Return a figure for people: accuracies in percent."""
    scale = 100 if is_accuracy(objective) else 1
    low, high = (None if end is None else round(scale * end, 3) for end in (figure.low, figure.high))
    return round(scale * figure.value, 3), low, high


def unit(objective: str) -> str:
    return f"{objective.replace('_', ' ')} (%)" if is_accuracy(objective) else objective.replace("_", " ")


def fronts(field: Field, standing: Sequence[str]) -> list[Picture]:
    """Draw one objective against another, for every pair."""
    return [_front(field, standing, *places) for places in combinations(range(len(field.objectives)), 2)]


def _front(field: Field, standing: Sequence[str], x: int, y: int) -> Picture:
    titles = unit(field.objectives[x]), unit(field.objectives[y])
    table = points(field, standing)
    traces = [_points(table, place, titles) for place in _STANDING if place in standing]
    line = sorted(_of(table, BEST), key=lambda row: number(row[titles[0]]))
    # Between two points of the front, what is surely reached is what the worse of the two reaches.
    shape = "vh" if field.goals[x] == "maximize" else "hv"
    joined = [_dotted(line, "Pareto front", titles, shape=shape)] if len(field.objectives) == _FEWEST else []
    drawing = drawn([*joined, *traces], xaxis={"title": {"text": plain(titles[0])}}, yaxis={"title": {"text": plain(titles[1])}})
    towards = ["right" if field.goals[x] == "maximize" else "left", "up" if field.goals[y] == "maximize" else "down"]
    caption = f"Better is {towards[1]} and to the {towards[0]}. Bars are 95 % intervals."
    return Picture(title=f"{titles[0]} against {titles[1]}", drawing=drawing, table=table, caption=caption)


def points(field: Field, standing: Sequence[str]) -> list[Record]:
    """Return every candidate as a row: its standing, its figures with their intervals, its settings."""
    return [_point(field, candidate, place) for candidate, place in zip(field.candidates, standing, strict=True)]


def _point(field: Field, candidate: Candidate, standing: str) -> Record:
    row: Record = {**_trial(candidate), "standing": standing}
    for objective, figure in zip(field.objectives, candidate.figures, strict=True):
        value, low, high = shown(objective, figure)
        row |= {unit(objective): value, f"{unit(objective)} 95% low": low, f"{unit(objective)} 95% high": high}
    return row | settings_of(candidate.settings) | {"verdict": candidate.verdict, "model key": candidate.model_key[:8]}


def _trial(candidate: Candidate) -> Record:
    return {} if candidate.trial is None else {"trial": candidate.trial}


def settings_of(settings: Mapping[str, object]) -> Record:
    """Return the settings as cells; numbers to five digits."""
    return {name: _cell(value) for name, value in settings.items()}


def _cell(value: object) -> Value:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _points(table: list[Record], standing: str, titles: tuple[str, str]) -> dict[str, Any]:
    rows = _of(table, standing)
    bars = {"error_x": _bars(rows, titles[0]), "error_y": _bars(rows, titles[1])} if standing == BEST else {}
    said = [[_words(row)] for row in rows]
    return _markers(rows, standing, titles, "%{customdata[0]}<extra></extra>", customdata=said, **bars)


def _markers(rows: Sequence[Record], standing: str, names: tuple[str, str], hover: str, **more: Any) -> dict[str, Any]:
    """Points of one standing: the values of the records by the names on either axis."""
    colour, symbol, size = _STANDING[standing]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": standing,
        "x": [row[names[0]] for row in rows],
        "y": [row[names[1]] for row in rows],
        "marker": {"color": colour, "symbol": symbol, "size": size},
        "hovertemplate": hover,
        **more,
    }


def _dotted(rows: Sequence[Record], name: str, names: tuple[str, str], *, shape: str) -> dict[str, Any]:
    """A line of steps through the records."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [row[names[0]] for row in rows],
        "y": [row[names[1]] for row in rows],
        "line": {"shape": shape, "color": _QUIET, "width": 1.5, "dash": "dot"},
        "name": name,
        "hoverinfo": "skip",
    }


def _bars(rows: Sequence[Record], title: str) -> dict[str, Any]:
    return error_bars(rows, title, low=f"{title} 95% low", high=f"{title} 95% high")


def _words(row: Record) -> str:
    said = [f"{name}: {value}" for name, value in row.items() if value is not None and name not in ("trial", "standing")]
    head = f"<b>trial {row['trial']}</b><br>" if "trial" in row else ""
    return head + "<br>".join(plain(line) for line in said)


def histories(field: Field, standing: Sequence[str]) -> list[Picture]:
    """Draw each trial's value, in their order, and the best so far of those that are not left out."""
    return [_history(field, standing, place) for place in range(len(field.objectives))]


def _history(field: Field, standing: Sequence[str], place: int) -> Picture:
    title, sign = unit(field.objectives[place]), 1 if field.goals[place] == "maximize" else -1
    table: list[Record] = []
    best: float | None = None
    ordered = sorted(zip(field.candidates, standing, strict=True), key=lambda pair: pair[0].trial or 0)
    for candidate, stands in ordered:
        value, _, _ = shown(field.objectives[place], candidate.figures[place])
        if stands != _OUT and (best is None or sign * value > sign * best):
            best = value
        table.append({"trial": candidate.trial, title: value, "best so far": best, "standing": stands})
    so_far = [row for row in table if row["best so far"] is not None]
    hover = "trial %{x}: <b>%{y:.4~g}</b><extra></extra>"
    tries = [_markers(_of(table, stands), stands, ("trial", title), hover) for stands in _STANDING if stands in standing]
    drawing = drawn(
        [_dotted(so_far, "best so far", ("trial", "best so far"), shape="hv"), *tries],
        xaxis={"title": {"text": "trial"}, "tickformat": "d", **({"dtick": 1} if len(table) <= _FEW_TRIALS else {})},
        yaxis={"title": {"text": plain(title)}},
    )
    caption = f"{'Higher' if sign > 0 else 'Lower'} is better; the line is the best so far of the trials that are not left out."
    return Picture(title=f"History of {title}", drawing=drawing, table=table, caption=caption)


def slices(field: Field, standing: Sequence[str]) -> dict[str, list[Picture]]:
    """Draw each objective against each parameter."""
    names = dict.fromkeys(name for candidate in field.candidates for name in candidate.settings)
    return {name: [_slice(field, standing, name, place) for place in range(len(field.objectives))] for name in names}


def _slice(field: Field, standing: Sequence[str], name: str, place: int) -> Picture:
    title = unit(field.objectives[place])
    table: list[Record] = [
        {
            **_trial(one),
            name: settings_of(one.settings)[name],
            title: shown(field.objectives[place], one.figures[place])[0],
            "standing": stands,
        }
        for one, stands in zip(field.candidates, standing, strict=True)
        if name in one.settings
    ]
    numeric = all(isinstance(row[name], int | float) and not isinstance(row[name], bool) for row in table)
    traces = [_sliced(table, name, title, stands, numeric=numeric) for stands in _STANDING if stands in standing]
    axis = {"title": {"text": plain(name)}, **({} if numeric else {"type": "category"}), **_log(table, name, numeric=numeric)}
    drawing = drawn(traces, xaxis=axis, yaxis={"title": {"text": plain(title)}})
    return Picture(title=f"{title} by {name}", drawing=drawing, table=table)


def _sliced(table: list[Record], name: str, title: str, standing: str, *, numeric: bool) -> dict[str, Any]:
    rows = _of(table, standing)
    x = {} if numeric else {"x": [plain(str(row[name])) for row in rows]}
    return _markers(rows, standing, (name, title), "%{x}: <b>%{y:.4~g}</b><extra></extra>", **x)


def _of(table: Sequence[Record], standing: str) -> list[Record]:
    return [row for row in table if row["standing"] == standing]


def _log(table: list[Record], name: str, *, numeric: bool) -> dict[str, Any]:
    """Return a logarithmic axis where values span an order of magnitude."""
    values = [number(row[name]) for row in table] if numeric else []
    return {"type": "log"} if values and min(values) > 0 and max(values) >= 10 * min(values) else {}
