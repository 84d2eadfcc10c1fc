"""Escaping of names for the terminal, HTML, LaTeX, Markdown and CSV: a sweep, a class or a host may have any name.

Each function takes plain text and returns text that shows the same characters in its format, without any other effect.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from markupsafe import Markup, escape

from workers.visible_text import visible

__all__ = ["csv_cell", "html", "json_text", "latex", "markdown", "visible"]

# The last four are the first four in full width.
_FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~$!@#&]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
}
_LIGATURES = re.compile(r"([-,])(?=\1)")


def html(text: str, *, keep: str = "") -> Markup:
    """Escape text for HTML, in an element or in a quoted attribute; control characters in `keep` stay, as in `visible`."""
    return escape(visible(text, keep=keep))


def latex(text: str) -> str:
    """Escape text for LaTeX, outside of mathematics."""
    return "".join(_LATEX.get(letter, letter) for letter in _LIGATURES.sub(r"\1\0", visible(text))).replace("\0", "{}")


def markdown(text: str) -> str:
    """Escape text for the middle of a Markdown line or a cell of a table: no markup, no HTML, no automatic links."""
    return _MARKDOWN.sub(lambda match: "\\" + match.group(0), visible(text))


def csv_cell(value: object) -> object:
    """Prefix text that a spreadsheet would take for a formula with an apostrophe. Numbers stay numbers."""
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if value.lstrip(" ").startswith(_FORMULA_STARTS) else shown


def json_text(value: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> str:
    """Write JSON. It has no infinities and no NaN: they are the texts "Infinity", "-Infinity" and "NaN", as PostgreSQL writes them."""
    return json.dumps(_finite(value), indent=indent, default=default, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if not isinstance(value, float | Decimal) or math.isfinite(value):
        return float(value) if isinstance(value, Decimal) else value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
