"""Figure together with the table that it is drawn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean
from typing import TYPE_CHECKING, Any

from orchestrator.report.figures.theme import Drawing, figure_of
from orchestrator.statistics.differences import separation
from orchestrator.tables.table import Value
from orchestrator.terminal.escaping import visible

if TYPE_CHECKING:
    import plotly.graph_objects as go

Record = dict[str, Value]
ROBUST = "robust accuracy %"
FAINT = "faint"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Drawing of a figure and its data as rows of a table: the one is made from the other, so that the two cannot differ.

    The drawing has no template and no background colours: `theme.TEMPLATES` has a template for light and one for dark. The cells of
    `table` are as they are in the store; the code that prints them must escape them. `caption` explains how to read the figure.

    Models that are drawn faintly, several in a trace of `meta: "faint"` whose `customdata` begin with their names as plain texts, are in
    `faint` by these names: what a trace of such a model alone has otherwise, for a page on which models can be chosen. `epsilon` is that
    of a picture of attacks at a single one.
    """

    title: str
    drawing: Drawing
    table: list[Record]
    caption: str = ""
    faint: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    epsilon: float = 0.0

    @property
    def figure(self) -> "go.Figure":
        """The drawing as a figure of Plotly."""
        return figure_of(self.drawing)

    @property
    def rank(self) -> tuple[int, float, float]:
        """Order among several pictures, of which the greatest is shown first: how well the models are told apart, then the epsilon, then
        the harm that the attack does."""
        known = [row for row in self.table if row.get(ROBUST) is not None]
        figures = [(number(row[ROBUST]), _end(row, "95% low"), _end(row, "95% high")) for row in known]
        return separation(figures), self.epsilon, -fmean([value for value, *_ in figures] or [0.0])


Pictures = dict[str, Picture]
"""Pictures of one kind, by a label that distinguishes them: `pgd 8/255, randomized`."""


def shown_first(pictures: Mapping[str, Picture]) -> str:
    """Return the label of the picture to begin with: the attack that does most harm at the largest epsilon that still separates models."""
    return max(pictures, key=lambda label: pictures[label].rank)


@lru_cache(maxsize=10_000)  # the same models and settings stand at the points of many pictures
def plain(text: str) -> str:
    """Escape a text for Plotly, which interprets tags such as `<a href=...>` in every text."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def lines(parts: Sequence[str], *, width: int = 60) -> str:
    """Join the parts to one hover text, with commas, broken between parts into lines of about `width` characters."""
    return _lines(tuple(parts), width)


@lru_cache(maxsize=10_000)
def _lines(parts: tuple[str, ...], width: int) -> str:
    broken: list[str] = []
    for part in parts:
        if broken and len(broken[-1]) + len(part) + 2 <= width:
            broken[-1] += f", {part}"
        else:
            broken.append(part)
    return ",<br>".join(plain(line) for line in broken)


def _end(row: Record, name: str) -> float | None:
    """The end of an interval in a record, where it is known."""
    return None if row.get(name) is None else number(row[name])


def number(value: Value) -> float:
    """A value of a record that holds a number; one that is not known is none."""
    return float(value) if value is not None else float("nan")


def percent(share: float | None) -> float | None:
    """Return a share in [0, 1] as a percentage with three decimals: finer than any interval."""
    return None if share is None else round(100 * share, 3)


def error_bars(rows: Sequence[Record], name: str, *, low: str, high: str) -> dict[str, Any]:
    """Return bars from each record's value to the ends of its interval, by their names; of an unknown one none."""

    def reach(row: Record, end: str, sign: int) -> float:
        return 0.0 if row[end] is None or row[name] is None else max(0.0, sign * (number(row[end]) - number(row[name])))

    ends = {"array": [reach(row, high, 1) for row in rows], "arrayminus": [reach(row, low, -1) for row in rows]}
    return {"type": "data", "symmetric": False, "thickness": 1, "width": 3, **ends}
