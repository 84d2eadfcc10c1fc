"""The one look of all our tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table

from orchestrator.escaping import markdown

_ENDLESS = 10_000


def plain_table(**settings: Any) -> Table:
    """A table without a frame, as narrow as its content; `settings` are rich's."""
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, title_justify="left", title_style="bold", **settings
    )


@dataclass(frozen=True)
class Whole:
    """A table that runs over the edge of a terminal that is too narrow for it, instead of losing digits. Print it with `crop=False`."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = Measurement.get(console, options.update(width=_ENDLESS), self.table).maximum
        yield from console.render(self.table, options.update(width=max(width, options.max_width)))


def pipe_table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[bool]) -> str:
    """A Markdown table of texts, escaped; the columns that are `numeric` stand to the right."""
    lines = [titles, *rows]
    shown = ["| " + " | ".join(markdown(text) for text in line) + " |" for line in lines]
    return "\n".join([shown[0], "|" + "|".join("---:" if right else "---" for right in numeric) + "|", *shown[1:]])
