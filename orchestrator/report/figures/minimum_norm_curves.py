"""Curves of accuracy against epsilon from minimum-norm attacks: one job of each model gives the whole curve."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from orchestrator.report.figures.attack_conditions import conditions, line_looks, line_of
from orchestrator.report.figures.looks import Look
from orchestrator.report.figures.picture import Picture, Pictures, Record, percent, plain
from orchestrator.report.figures.theme import drawn, percent_axis
from orchestrator.statistics.intervals import accuracy_interval
from orchestrator.store.reading.smallest_perturbations import SmallestPerturbations

_POINTS = 41
_MOST_SHOWN = 0.98  # of all examples that were fooled: a few hard ones would leave the others no room


def minimum_norm_curves(found: Sequence[SmallestPerturbations]) -> Pictures:
    """Draw for each attack the share of examples that no perturbation of at most epsilon fools, a line for each model.

    An attack may miss smaller perturbations, so that a curve is an upper bound, as the accuracy under any attack is.
    """
    rows = [one.row for one in found]
    sizes = {(line_of(one.row), one.row.job_keys): one.sizes for one in found}
    styles = line_looks(rows)
    pictures: Pictures = {}
    for condition in conditions(rows, by_epsilon=False):
        of_lines = {line_of(row): (styles[line_of(row)], sizes[line_of(row), row.job_keys]) for row in condition.rows}
        norm = condition.rows[0].norm
        pictures[condition.label] = _picture(condition.label, norm, list(of_lines.values()))
    return pictures


def _picture(label: str, norm: str, lines: Sequence[tuple[Look, Any]]) -> Picture:
    fooled = np.concatenate([sizes[np.isfinite(sizes)] for _, sizes in lines])
    most = float(np.quantile(fooled, _MOST_SHOWN)) if len(fooled) else 0.0
    epsilons = np.linspace(0.0, most or 1.0, _POINTS)
    table = [point for look, sizes in lines for point in _points(look, sizes, epsilons)]
    traces = [_line(look, table[place * _POINTS : (place + 1) * _POINTS]) for place, (look, _) in enumerate(lines)]
    drawing = drawn(
        traces,
        xaxis={"title": {"text": f"epsilon ({norm}, input units)"}, "rangemode": "tozero"},
        yaxis=percent_axis("accuracy (%)"),
    )
    caption = (
        "Each line comes from one job: the smallest perturbation that the attack found of each example. It is an upper bound at every "
        "epsilon, as an attack that was run there; the table has 95 % intervals over the examples."
    )
    return Picture(title=f"Accuracy against epsilon from smallest perturbations: {label}", drawing=drawing, table=table, caption=caption)


def _points(look: Look, sizes: Any, epsilons: Any) -> list[Record]:
    return [_point(look, sizes > epsilon, float(epsilon)) for epsilon in epsilons]


def _point(look: Look, right: Any, epsilon: float) -> Record:
    mean, low, high = accuracy_interval(right[None, None])
    accuracies = {"accuracy %": percent(mean), "95% low": percent(low), "95% high": percent(high)}
    return {"model": look.name, **look.cells, "epsilon (input units)": round(epsilon, 6), **accuracies, "examples": right.size}


def _line(look: Look, points: Sequence[Record]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain(look.name),
        "x": [point["epsilon (input units)"] for point in points],
        "y": [point["accuracy %"] for point in points],
        "line": {"color": look.colour, "dash": look.dash, "width": 2},
        "customdata": [[point["95% low"], point["95% high"]] for point in points],
        "hovertemplate": (
            "epsilon %{x:.4g}: at most <b>%{y:.1f} %</b>, 95% interval %{customdata[0]:.1f} to %{customdata[1]:.1f}"
            "<extra>%{fullData.name}</extra>"
        ),
    }
