"""The one look of all our tables."""

from typing import Any

from rich import box
from rich.table import Table


def plain_table(**settings: Any) -> Table:
    """A table without a frame, as narrow as its content; `settings` are rich's."""
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, title_justify="left", title_style="bold", **settings
    )
