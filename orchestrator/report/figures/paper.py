"""Figures as a paper has them: one column wide, in its letters, on white, with mathematical labels, legible in grey."""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Literal

from orchestrator.report.figures.picture import Picture, plain
from orchestrator.report.figures.theme import Drawing, percent_axis, template

ImageForm = Literal["png", "svg", "pdf"]
"""File formats of figures."""

_PIXELS_AN_INCH, _POINTS_AN_INCH = 96, 72
_INK, _GRID = "#000000", "#e4e4e4"
_SCREEN_LETTERS = 13  # pixels; lines and marks are made for letters of that size
_SHAPE = 0.64  # height of the axes over the figure's width
_LETTER, _LINE, _KEY = 0.54, 1.5, 4.2  # in letters' heights: a letter's width, a line of the legend, the sample next to a name
_BELOW, _TITLE = 3.2, 2.0  # in letters' heights: ticks and title of the axis, the title of the figure
_VARIABLES = {"theta": "θ", "epsilon": "ε"}
_WITH_VALUE = re.compile(rf"\b({'|'.join(_VARIABLES)}) (?=[-\d.]+\b)")
_PATTERNS = ("", "/", "x", "\\", ".")
_MARKUP = re.compile(r"<[^>]*>|&[a-z]+;")
_ALONE = re.compile(rf"(?<![\w.])({'|'.join(_VARIABLES)})(?![\w=])")


@dataclass(frozen=True, kw_only=True)
class PaperStyle:
    """Style of image files: the `width` in inches, the size of letters in points, and whether the figure has its title.

    The default is what documentation and slides show; papers set theirs, such as 3.25 inches and 8 points, and write a caption.
    """

    width: float = 6.67
    font_size: float = 9.75
    has_title: bool = True

    @property
    def pixels(self) -> int:
        """Width in CSS pixels."""
        return round(self.width * _PIXELS_AN_INCH)

    @property
    def letters(self) -> float:
        """Height of letters in CSS pixels."""
        return self.font_size * _PIXELS_AN_INCH / _POINTS_AN_INCH


def mathematical(text: str) -> str:
    """Return a label with symbols in place of the names of variables: `theta 0.9` is an italic θ, `=` and 0.9."""
    valued = _WITH_VALUE.sub(lambda found: f"<i>{_VARIABLES[found[1]]}</i> = ", text)
    return _ALONE.sub(lambda found: f"<i>{_VARIABLES[found[1]]}</i>", valued)


def on_paper(picture: Picture, style: PaperStyle) -> tuple[Drawing, int]:
    """Return the picture's drawing in that style, with a template and a width of its own, and its height in CSS pixels."""
    data, layout = deepcopy(picture.drawing["data"]), deepcopy(dict(picture.drawing["layout"]))
    names = []
    bars = [trace for trace in data if trace.get("type") == "bar"]
    for place, trace in enumerate(bars):
        trace["marker"] = {**trace["marker"], "pattern": {"shape": _PATTERNS[place % len(_PATTERNS)], "size": 0.5 * style.letters}}
    for trace in data:
        _rescale(trace, style.letters / _SCREEN_LETTERS)
        if trace.get("name") and trace.get("showlegend") is not False and layout.get("showlegend") is not False:
            trace["name"] = mathematical(str(trace["name"]))
            names.append(_MARKUP.sub("", trace["name"]))
    for name in (name for name in layout if name.startswith(("xaxis", "yaxis"))):
        _label(layout[name])
        if layout[name].get("range") == percent_axis("")["range"]:
            layout[name]["dtick"] = 20
    _label(layout.get("coloraxis", {}).get("colorbar", {}))
    letters = style.letters
    legend = _legend_lines(names, style) * _LINE * letters
    titles = wrap(picture.title, int(0.98 * style.pixels / (1.1 * _LETTER * letters))) if style.has_title else []
    over = (_TITLE + _LINE * (len(titles) - 1)) * letters if titles else 0
    above = legend + over + letters
    below = _BELOW * letters
    height = round(above + _SHAPE * style.pixels + below)
    left, right = round(3.6 * letters), round(1.2 * letters)
    inside = style.pixels - left - right
    layout |= {
        "template": _template(style),
        "width": style.pixels,
        "height": height,
        "margin": {"l": left, "r": right, "t": round(above), "b": round(below)},
        "legend": {
            **_LEGEND,
            "x": (0.01 * style.pixels - left) / inside,
            "y": 1 + 0.4 * letters / (_SHAPE * style.pixels),
            "font": {"size": letters},
        },
    }
    if titles:
        title = {"text": "<br>".join(mathematical(plain(line)) for line in titles), "font": {"size": 1.1 * letters}}
        last = 0.4 + over / letters - _TITLE  # plotly.js puts the last line there, and the others above it
        layout["title"] = {**title, "x": 0.01, "xanchor": "left", "y": 1 - last * letters / height, "yanchor": "top"}
    return {"data": data, "layout": layout}, height


_LEGEND: Mapping[str, Any] = {
    "orientation": "h",
    "xanchor": "left",
    "yanchor": "bottom",  # from left of the axes and over them, where plotly.js lets a legend be as wide as the figure
    "tracegroupgap": 0,
    "bgcolor": "rgba(0,0,0,0)",
}


def _legend_lines(names: list[str], style: PaperStyle) -> int:
    """Return over how many lines the legend goes; entries are as wide as the widest."""
    if not names:
        return 0
    entry = (max(map(len, names)) * _LETTER + _KEY) * style.letters
    return -(-len(names) // max(1, int(0.98 * style.pixels / entry)))


def _rescale(trace: dict[str, Any], factor: float) -> None:
    """Make lines and marks as thin and small as the letters are."""
    for part, size in (("line", "width"), ("marker", "size"), ("error_y", "thickness")):
        found = trace.get(part)
        if isinstance(found, dict) and isinstance(found.get(size), int | float):
            trace[part] = {**found, size: found[size] * factor}


def _label(part: dict[str, Any]) -> None:
    title = part.get("title")
    if isinstance(title, dict) and title.get("text"):
        part["title"] = {**title, "text": mathematical(str(title["text"]))}


def _template(style: PaperStyle) -> Drawing:
    """Return the light template with axes of thin black lines, ticks outside, and letters of the paper's size."""
    found = deepcopy(template("light"))
    letters = style.letters
    axis = {
        "linecolor": _INK,
        "linewidth": 0.8,
        "showline": True,
        "ticks": "outside",
        "ticklen": 0.3 * letters,
        "tickcolor": _INK,
        "tickwidth": 0.8,
        "gridcolor": _GRID,
        "gridwidth": 0.6,
        "zeroline": False,
        "tickfont": {"size": 0.95 * letters},
        "title": {"standoff": 0.5 * letters, "font": {"size": letters}},
        "automargin": True,
    }
    found["layout"] |= {
        "font": {"family": "Helvetica, Arial, 'Liberation Sans', sans-serif", "size": letters, "color": _INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "xaxis": axis,
        "yaxis": axis,
        "coloraxis": {"colorbar": {"outlinewidth": 0, "thickness": 0.9 * letters, "title": {"font": {"size": letters}}}},
    }
    return found
