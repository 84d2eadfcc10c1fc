"""Pictures of what mattered: the importance of each axis, an objective along it, and all models at once."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from orchestrator.report.figures import Picture
from orchestrator.report.figures.picture import Record, error_bars, number, plain
from orchestrator.report.figures.theme import NEXT_TO_A_SCALE, PALETTE, drawn, faded, ordered_colours
from orchestrator.report.study.candidates import Candidate, Field
from orchestrator.report.study.effects import (
    RESAMPLES,
    Floats,
    Importance,
    Level,
    StudiedAxis,
    axes_of,
    dependence,
    importances,
    is_balanced,
)
from orchestrator.report.study.objective_pictures import BEST, points, shown, unit

_IMPORTANCE, _OF_BEST = "importance %", "of the best %"
_PARTS = 4


def values_of(field: Field, place: int) -> Floats:
    """Return an objective of every candidate, as people see it."""
    return np.array([shown(field.objectives[place], one.figures[place])[0] for one in field.candidates])


def importances_of(field: Field) -> list[list[Importance] | str]:
    """Return for each objective the importance of each axis, or why there is none."""
    axes = axes_of(field.candidates)

    def found(place: int) -> list[Importance] | str:
        try:
            return importances(axes, values_of(field, place), maximize=field.goals[place] == "maximize")
        except ValueError as error:
            return str(error)

    return [found(place) for place in range(len(field.objectives))]


def importance(title: str, found: Sequence[Importance]) -> Picture:
    """Draw the share of an objective's variation that each axis explains."""
    table: list[Record] = [
        {
            "parameter": one.axis,
            **{name: round(100 * share, 2) for name, share in ((_IMPORTANCE, one.share), ("90% low", one.low), ("90% high", one.high))},
            **({} if one.of_best is None else {_OF_BEST: round(100 * one.of_best, 2)}),
        }
        for one in found
    ]
    rows = table[::-1]
    bars = error_bars(rows, _IMPORTANCE, low="90% low", high="90% high")
    traces = [_bar(rows, _IMPORTANCE, "of all variation", PALETTE[0], error_x=bars)]
    traces += [_bar(rows, _OF_BEST, "of the best quarter", PALETTE[1])] if _OF_BEST in table[0] else []
    axes = {"xaxis": {"title": {"text": "importance (%)"}, "range": [0, 105]}, "yaxis": {"type": "category"}}
    drawing = drawn(traces, **axes, margin=NEXT_TO_A_SCALE)
    caption = (
        f"Functional ANOVA: the share of the variation that the setting explains by itself; what is left to 100 % are interactions and "
        f"chance. Bars are where nine of ten of {RESAMPLES} resamples of the models lie; of few models they are wide."
    )
    best = " PED-ANOVA: its share in what distinguishes the best quarter of the models from all." if len(traces) > 1 else ""
    return Picture(title=f"Parameter importance for {title}", drawing=drawing, table=table, caption=caption + best)


def _bar(rows: Sequence[Record], column: str, name: str, colour: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": [row[column] for row in rows],
        "y": [plain(str(row["parameter"])) for row in rows],
        "marker": {"color": colour},
        "hovertemplate": f"%{{y}}: <b>%{{x:.1f}} %</b> {name}<extra></extra>",
        **more,
    }


def effects(field: Field, kept: Sequence[Candidate]) -> dict[str, list[Picture]]:
    """Draw each objective along each axis: its mean and spread over all else, and the best that there is at each value."""
    axes = axes_of(field.candidates)
    return {
        axis.name: [_effect(field, kept, axes, place, objective) for objective in range(len(field.objectives))]
        for place, axis in enumerate(axes)
    }


def _effect(field: Field, kept: Sequence[Candidate], axes: Sequence[StudiedAxis], place: int, objective: int) -> Picture:
    name, title = axes[place].name, unit(field.objectives[objective])
    levels = dependence(axes, place, values_of(field, objective))
    table = [_level(field, kept, name, level, objective) for level in levels]
    x = [plain(str(row[name])) for row in table]
    band = [*(number(row["mean"]) + number(row["deviation"]) for row in table)]
    band += [number(row["mean"]) - number(row["deviation"]) for row in reversed(table)]
    style = {"type": "scatter", "x": x, "hovertemplate": "%{x}: <b>%{y:.4~g}</b><extra>%{fullData.name}</extra>"}
    spread = {"x": [*x, *reversed(x)], "y": band, "fill": "toself", "fillcolor": faded(PALETTE[0], 0.16), "hoverinfo": "skip"}
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "lines", "name": "spread", "line": {"width": 0, "color": PALETTE[0]}, **spread},
        {
            **style,
            "mode": "lines+markers",
            "name": "mean over all else",
            "y": [row["mean"] for row in table],
            "line": {"color": PALETTE[0]},
        },
        {
            **style,
            "mode": "markers",
            "name": "best",
            "y": [row["best"] for row in table],
            "error_y": error_bars(table, "best", low="best 95% low", high="best 95% high"),
            "marker": {"color": PALETTE[1], "symbol": "diamond", "size": 9},
            "text": [plain(str(row["best model"])) for row in table],
            "hovertemplate": "%{x}: <b>%{y:.4~g}</b><br>%{text}<extra>best</extra>",
        },
    ]
    drawing = drawn(traces, xaxis={"title": {"text": plain(name)}, "type": "category"}, yaxis={"title": {"text": plain(title)}})
    how = "of the models with that value" if is_balanced(axes) else "that a random forest of all models predicts at that value"
    caption = f"Partial dependence: mean and standard deviation {how}; the best with its 95 % interval."
    return Picture(title=f"{title} along {name}", drawing=drawing, table=table, caption=caption)


def _level(field: Field, kept: Sequence[Candidate], name: str, level: Level, objective: int) -> Record:
    admitted = {id(one) for one in kept}
    there = [one for model in level.models if id(one := field.candidates[model]) in admitted]
    best = max(there, key=_gain(field, objective), default=None)
    value, low, high = (None, None, None) if best is None else shown(field.objectives[objective], best.figures[objective])
    return {
        name: level.label,
        "models": len(level.models),
        "mean": round(level.mean, 3),
        "deviation": round(level.deviation, 3),
        "best": value,
        "best 95% low": low,
        "best 95% high": high,
        "best model": None if best is None else best.name,
        "model key": None if best is None else best.model_key[:8],
    }


def _gain(field: Field, objective: int) -> Callable[[Candidate], float]:
    sign = 1 if field.goals[objective] == "maximize" else -1
    return lambda one: sign * one.figures[objective].value


def parallel(field: Field, standing: Sequence[str]) -> list[Picture]:
    """Draw all models as lines through their settings and their objectives, coloured by the last of these; those on the front on top."""
    axes = axes_of(field.candidates)
    if not axes:
        return []
    values = [values_of(field, place) for place in range(len(field.objectives))]
    places = [*(_place(axis.scaled) for axis in axes), *map(_place, values)]
    names = [*(axis.name for axis in axes), *map(unit, field.objectives)]
    heights = np.stack(places, axis=1)
    first = [number for number, stands in enumerate(standing) if stands == BEST]
    known = np.unique(values[-1])
    parts = [np.flatnonzero(np.isin(values[-1], part)).tolist() for part in np.array_split(known, min(_PARTS, len(known)))]
    texts = [plain(one.name) for one in field.candidates]
    traces = [_lines(heights, part, texts, colour, values[-1]) for part, colour in zip(parts, ordered_colours(len(parts)), strict=True)]
    top = {"name": BEST, "opacity": 1, "line": {"color": PALETTE[1], "width": 3}}
    traces += [{**_lines(heights, first, texts, PALETTE[1], values[-1]), **top}] if first else []
    ticks = [
        {"x": place, "y": float(height), "text": plain(label), "showarrow": False, "xanchor": "left", "xshift": 4, "font": {"size": 11}}
        for place, labelled in enumerate([*map(_ticks, axes), *map(_ends, values)])
        for label, height in labelled.items()
    ]
    bars = [
        {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "line": {"color": PALETTE[-1], "width": 1}}
        for place in range(len(names))
    ]
    drawing = drawn(
        traces,
        xaxis={
            "tickvals": list(range(len(names))),
            "ticktext": [plain(name).replace(" ", "<br>") for name in names],
            "range": [-0.1, len(names) - 0.5],
        },
        yaxis={"visible": False, "range": [-0.05, 1.05]},
        annotations=ticks,
        shapes=bars,
    )
    caption = f"Each line is a model, coloured by its {unit(field.objectives[-1])}: a click in the legend hides that part."
    return [Picture(title="All models at once", drawing=drawing, table=points(field, standing), caption=caption)]


def _lines(heights: Floats, models: Sequence[int], texts: Sequence[str], colour: str, values: Floats) -> dict[str, Any]:
    """Lines of these models as one trace, each ended by a gap."""
    count = heights.shape[1]
    ends = [f"{values[models].min():.4g}", f"{values[models].max():.4g}"]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": " to ".join(dict.fromkeys(ends)),
        "x": [*range(count), None] * len(models),
        "y": [height for model in models for height in [*heights[model].round(4).tolist(), None]],
        "text": [texts[model] for model in models for _ in range(count + 1)],
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": colour, "width": 1.5},
        "opacity": 0.5,
    }


def _place(values: Floats) -> Floats:
    """Return the values between 0, the least, and 1."""
    reach = np.ptp(values)
    found: Floats = (values - values.min()) / reach if reach else np.full(len(values), 0.5)
    return found


def _ticks(axis: StudiedAxis) -> dict[str, float]:
    return {label: float(_place(axis.scaled)[models].mean()) for label, models in axis.levels.items()}


def _ends(values: Floats) -> dict[str, float]:
    return {f"{values[place]:.4g}": float(_place(values)[place]) for place in (int(values.argmin()), int(values.argmax()))}
