r"""Text on a terminal: what a terminal would obey, or not show, appears as an escape sequence such as `\x1b`."""

import codecs
import io
import re
import sys
from typing import TextIO

_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")
"""Letters without a shape, which Python counts among the printable ones."""


def visible(text: str, *, keep: str = "") -> str:
    r"""Replace control characters (ANSI escapes, line ends, changes of writing direction) with escape sequences such as `\x1b`.

    Those in `keep` stay, such as line ends and tabs in a traceback.
    """
    plain = text
    for letter in keep:
        plain = plain.replace(letter, "")
    if plain.isprintable() and (plain.isascii() or not _BLANK.search(plain)):
        return text
    return "".join(letter if _is_seen(letter) or letter in keep else _code(letter) for letter in text)


def _is_seen(letter: str) -> bool:
    return letter.isprintable() and not _BLANK.match(letter)


def _code(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


class VisibleStream(io.TextIOWrapper):
    """A standard stream that shows control characters, but for line ends and tabs; `unfiltered` is the stream itself."""

    def __init__(self, unfiltered: TextIO) -> None:
        ascii_only = codecs.lookup(unfiltered.encoding).name == "ascii"  # Click would go round such a stream
        super().__init__(unfiltered.buffer, "utf-8" if ascii_only else unfiltered.encoding, "backslashreplace", line_buffering=True)
        self.unfiltered = unfiltered

    def write(self, text: str) -> int:
        super().write(visible(text, keep="\n\t"))
        return len(text)


def show_control_characters() -> None:
    """Let this program print nothing that a terminal would obey, in any of its parts."""
    for name in ("stdout", "stderr"):
        if hasattr(stream := getattr(sys, name), "buffer"):
            setattr(sys, name, VisibleStream(stream))


def unfiltered(stream: TextIO) -> TextIO:
    """The stream below one that shows control characters; another one as it is."""
    return stream.unfiltered if isinstance(stream, VisibleStream) else stream
