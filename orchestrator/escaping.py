"""Escaping of names for the terminal, HTML, LaTeX, Markdown and CSV: a sweep, a class or a host may have any name.

Each function takes plain text and returns text that shows the same characters in its format, without any other effect.
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
    r"""Replace control characters (ANSI escapes, line ends, changes of writing direction) with escape sequences such as `\x1b`.

    Those in `keep` stay, such as line ends and tabs in a traceback.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in keep else _code(letter) for letter in text)


def _code(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


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
