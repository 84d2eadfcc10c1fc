"""Names made harmless for where they are shown: a sweep, a class or a host may be called anything.

Each function takes text as it is and returns text that shows the same characters there, and does nothing else.
"""

import re

from markupsafe import Markup, escape

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


def visible(text: str, *, keep: str = "") -> str:
    r"""Characters that a terminal would obey instead of show (ANSI escapes, line ends, changes of writing direction) as `\x1b`.

    Those in `keep` stay: line ends and tabs in a traceback.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in keep else _code(letter) for letter in text)


def _code(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def html(text: str, *, keep: str = "") -> Markup:
    """Text for HTML, in an element or in a quoted attribute; control characters in `keep` stay, as in `visible`."""
    return escape(visible(text, keep=keep))


def latex(text: str) -> str:
    """Text for LaTeX, outside of mathematics."""
    return "".join(_LATEX.get(letter, letter) for letter in _LIGATURES.sub(r"\1\0", visible(text))).replace("\0", "{}")


def markdown(text: str) -> str:
    """Text for the middle of a Markdown line or a cell of a table: no markup, no HTML, no link that nobody wrote."""
    return _MARKDOWN.sub(lambda match: "\\" + match.group(0), visible(text))


def csv_cell(value: object) -> object:
    """A cell that a spreadsheet takes for text if it is text: what looks like a formula gets a leading apostrophe. Numbers stay numbers."""
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if value.lstrip(" ").startswith(_FORMULA_STARTS) else shown
