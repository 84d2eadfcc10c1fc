"""The one console of all commands, unformatted output on it, and the format of durations."""

import shlex
import sys
from collections.abc import Iterable
from html import escape
from io import StringIO
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from workers.visible_text import unfiltered, visible


class Terminal(Console):
    """A console on which a text is only a text: its control characters are shown, and it holds neither markup nor emoji codes.

    The colours and movements of its own go to the standard output around the filter that everything else passes. In a notebook too it
    writes to its file, where rich would show the text by itself and leave the file empty.
    """

    def __init__(self, file: IO[str] | None = None, **options: Any) -> None:
        plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False, "force_jupyter": False}
        super().__init__(file=file or unfiltered(sys.stdout), **plain, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            shown = segment.text if segment.control else visible(segment.text, keep="\n")
            yield segment if shown is segment.text else Segment(shown, segment.style)


def printed(renderable: RenderableType, *, width: int = 160) -> str:
    """Return what a terminal of that width would show, without colours, as a notebook shows it."""
    text = StringIO()
    Terminal(text, width=width, force_terminal=False).print(renderable)
    return text.getvalue().rstrip()


def preformatted(text: str) -> str:
    """Return a text as HTML for a notebook's cell, its lines and columns kept."""
    return f'<pre style="line-height: 1.25">{escape(text)}</pre>'


def say(console: Console, text: str) -> None:
    """Print a line without markup, control characters, colours or wrapping (so that a command in it can be copied)."""
    console.print(visible(text, keep="\n"), markup=False, highlight=False, soft_wrap=True)


def shell_command(words: Iterable[str]) -> str:
    """Return the words as a command to paste into a shell: sh, bash, or zsh, which takes a word that begins with `=` for a program's."""
    return " ".join(f"'{word}'" if word.startswith("=") and word == shlex.quote(word) else shlex.quote(word) for word in words)


def clock(seconds: float) -> str:
    """Format seconds as `1:02:03` or `2:03`."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
