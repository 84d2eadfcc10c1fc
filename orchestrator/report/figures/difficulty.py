"""Difficulty of each test example: the share of evaluations that classify it right."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from orchestrator.naming.names import counted
from orchestrator.report.figures.picture import Picture, Pictures, Record, number, plain
from orchestrator.report.figures.theme import DASHES, PALETTE, drawn, percent_axis
from orchestrator.store.reading.report_evidence import ExampleScores

_BINS = 20
_WORDS = {"none": "clean"}


def example_difficulty(scores: Sequence[ExampleScores]) -> Pictures:
    """Draw for each data set the share of evaluations (models x attacks x repeats x draws) that classify each example right, clean and
    under attacks of each knowledge: sorted, and as a histogram. The table has the hardest examples first, by their index in the order
    of evaluation."""
    groups: dict[tuple[str, str, int, str], list[ExampleScores]] = defaultdict(list)
    for found in scores:
        groups[found.dataset, found.split, found.n_examples, found.order].append(found)
    pictures: Pictures = {}
    several = {group[:3] for group in groups if (*group[:3], "file") in groups and group[3] != "file"}
    for (dataset, split, count, order), group in groups.items():
        of = "" if split == "test" else f"{split} "
        said = f" in {order} order" if (dataset, split, count) in several else ""
        pictures |= _pictures(f"{dataset}, {count} {of}examples{said}", group)
    return pictures


def _pictures(label: str, group: Sequence[ExampleScores]) -> Pictures:
    columns = {_column(found): np.round(100 * found.right / found.evaluations, 2) for found in group}
    table = _table(columns, group)
    caption = "; ".join(f"{_word(found)}: {counted(found.evaluations, 'evaluation')} of each example" for found in group) + "."
    hardest = [str(row["example"]) for row in table[:10]]
    return {
        f"{label}: sorted": Picture(
            title=f"How hard each example is: {label}",
            drawing=_sorted_figure(table, list(columns)),
            table=table,
            caption=f"{caption} Each line is sorted by itself. Hardest under attack: examples {', '.join(hardest)}.",
        ),
        f"{label}: histogram": _histogram(label, columns, caption),
    }


def _word(found: ExampleScores) -> str:
    return _WORDS.get(found.knowledge, found.knowledge)


def _column(found: ExampleScores) -> str:
    return f"{_word(found)}: right %"


def _table(columns: dict[str, Any], group: Sequence[ExampleScores]) -> list[Record]:
    """Return the examples in ascending order of the share of right attacked evaluations (or clean ones, where there is no attack)."""
    counted = [found for found in group if found.knowledge != "none"] or group
    share = sum(found.right for found in counted) / sum(found.evaluations for found in counted)
    order = np.argsort(share, kind="stable").tolist()
    return [{"example": place, **{name: float(shares[place]) for name, shares in columns.items()}} for place in order]


def _sorted_figure(table: list[Record], names: Sequence[str]) -> Any:
    traces = []
    for place, name in enumerate(names):
        ordered = sorted(table, key=lambda row: number(row[name]))
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [round(100 * (nth + 1) / len(ordered), 3) for nth in range(len(ordered))],
                "y": [row[name] for row in ordered],
                "customdata": [row["example"] for row in ordered],
                "name": plain(name.removesuffix(": right %")),
                "line": {"color": PALETTE[place % len(PALETTE)], "dash": DASHES[place % len(DASHES)], "width": 2, "shape": "hv"},
                "hovertemplate": "example %{customdata}: right in <b>%{y:.1f} %</b> of evaluations<extra>%{fullData.name}</extra>",
            }
        )
    return drawn(
        traces,
        xaxis={"title": {"text": "examples, hardest first (%)"}, "range": [0, 100]},
        yaxis=percent_axis("evaluations that get it right (%)"),
    )


def _histogram(label: str, columns: dict[str, Any], caption: str) -> Picture:
    edges = np.linspace(0, 100, _BINS + 1)
    counts = {name: np.histogram(shares, edges)[0].tolist() for name, shares in columns.items()}
    table: list[Record] = [
        {
            "right %, from": float(edges[place]),
            "to": float(edges[place + 1]),
            **{_bare(name): found[place] for name, found in counts.items()},
        }
        for place in range(_BINS)
    ]
    traces = [_bars(table, _bare(name), place) for place, name in enumerate(counts)]
    drawing = drawn(
        traces,
        xaxis={"title": {"text": "evaluations that get it right (%)"}, "range": [0, 100]},
        yaxis={"title": {"text": "examples"}},
        bargap=0.1,
    )
    return Picture(title=f"How many examples are how hard: {label}", drawing=drawing, table=table, caption=caption)


def _bare(name: str) -> str:
    return f"{name.removesuffix(': right %')}: examples"


def _bars(table: list[Record], name: str, place: int) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": [(number(row["right %, from"]) + number(row["to"])) / 2 for row in table],
        "y": [row[name] for row in table],
        "customdata": [[row["right %, from"], row["to"]] for row in table],
        "name": plain(name.removesuffix(": examples")),
        "marker": {"color": PALETTE[place % len(PALETTE)]},
        "hovertemplate": "right in %{customdata[0]:g} to %{customdata[1]:g} %: <b>%{y} examples</b><extra>%{fullData.name}</extra>",
    }
