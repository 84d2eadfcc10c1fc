"""HTML and LaTeX from templates: every text is escaped where it is put in, and nothing that a name holds is markup."""

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.tables.table import Code, Estimate, Mark, Measured, Table, shown
from orchestrator.terminal import escaping

_OWN = "orchestrator.tables"
_TYPES = {"mark": Mark, "code": Code, "estimate": Estimate, "measured": Measured}
_SYMBOLS = {"theta": r"$\theta$", "epsilon": r"$\varepsilon$"}
_QUOTED = re.compile("`([^`]+)`")
_LONG = 60  # characters that one line of a table for paper takes
_LATEX_MARKS = {
    "block_start_string": "<%",
    "block_end_string": "%>",
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
}


def fill(template: str, *, package: str = _OWN, **values: Any) -> Markup:
    """A template of a package (in its folder `templates`, which may build on those of the tables), filled with values.

    In HTML what is put in is escaped unless it is `Markup`; in LaTeX the filter `latex` escapes.
    """
    return Markup(_environment(package, is_latex=template.endswith(".tex")).get_template(template).render(**values))  # noqa: S704 (escaped there)


@cache
def _environment(package: str, *, is_latex: bool) -> Environment:
    loader = ChoiceLoader([PackageLoader(name) for name in dict.fromkeys([package, _OWN])])
    marks: dict[str, Any] = _LATEX_MARKS if is_latex else {"autoescape": True, "finalize": _finalized}
    made = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **marks)  # noqa: S701 (LaTeX escapes by filter)
    made.filters |= {
        "shown": shown,
        "latex": escaping.latex,
        "latex_title": _latex_title,
        "block": _block,
        "coded": _coded,
        "alignments": _alignments,
    }
    made.tests |= {name: _tester(kind) for name, kind in _TYPES.items()}
    made.globals["style"] = files(_OWN).joinpath("templates", "style.css").read_text(encoding="utf-8")
    return made


def _finalized(value: object) -> object:
    """Plain text as HTML; what is marked as HTML stays."""
    return escaping.html(value) if type(value) is str else value


def _latex_title(title: str) -> str:
    """The title of a column: in mathematics where it is the name of a variable."""
    return _SYMBOLS.get(title, escaping.latex(title))


def _alignments(table: Table) -> list[str]:
    """Return LaTeX's alignments of the columns: to the right, to the left, or, of sentences, as paragraphs that share the width."""
    long = [
        place
        for place, column in enumerate(table.columns)
        if column.wraps and any(isinstance(row[place], str) and len(str(row[place])) > _LONG for row in table.rows)
    ]
    paragraph = rf"p{{{0.6 / max(1, len(long)):g}\linewidth}}"
    return [paragraph if place in long else "r" if column.is_right else "l" for place, column in enumerate(table.columns)]


def _block(text: str) -> Markup:
    """Text of several lines as it is, every character seen."""
    return escaping.html(text, keep="\n\t")


def _coded(text: str) -> Markup:
    """Text with what stands between two backquotes as code."""
    return Markup(_QUOTED.sub(r"<code>\1</code>", str(escaping.html(text))))  # noqa: S704 (escaped here)


def _tester(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)
