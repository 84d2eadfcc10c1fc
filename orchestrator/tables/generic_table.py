"""Any table of values: rich on a terminal, or CSV, JSON and Markdown."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.escaping import csv_cell, visible
from orchestrator.tables.results_table import Format
from orchestrator.tables.terminal_table import pipe_table, plain_table

_ABSENT = "-"
_LONGEST_WHOLE = 12
Rows = Sequence[Sequence[Any]]


def render_rows(columns: Sequence[str], rows: Rows, form: Format, *, percents: int = 0) -> str | Table:
    """Rows of values under their columns' names; the last `percents` columns are percentages.

    JSON is a list of objects with the values as they are; people see numbers to six digits, percentages to one decimal, `-` for nothing,
    and bytes by their number.
    """
    shares = range(len(columns) - percents, len(columns))
    match form:
        case "json":
            return json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=1, default=_as_text)
        case "csv":
            return _csv(columns, rows)
        case "markdown":
            return _markdown(columns, rows, shares)
        case "table":
            return _table(columns, rows, shares)


def _csv(columns: Sequence[str], rows: Rows) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in columns])
    writer.writerows([csv_cell(_as_text(value) if isinstance(value, bytes) else value) for value in row] for row in rows)
    return text.getvalue().rstrip("\n")


def _markdown(columns: Sequence[str], rows: Rows, shares: range) -> str:
    return pipe_table(columns, [_texts(row, shares) for row in rows], numeric=_numeric(columns, rows))


def _table(columns: Sequence[str], rows: Rows, shares: range) -> Table:
    table = plain_table(caption=None if rows else "nothing found", caption_justify="left")
    texts = [[visible(text) for text in _texts(row, shares)] for row in rows]
    for place, (name, numeric) in enumerate(zip(columns, _numeric(columns, rows), strict=True)):
        least = _least_width([visible(name), *(row[place] for row in texts)])
        table.add_column(Text(visible(name)), justify="right" if numeric else "left", overflow="fold", min_width=least)
    for row in texts:
        table.add_row(*map(Text, row))
    return table


def _least_width(texts: Sequence[str]) -> int:
    """What keeps words whole that are not very long: a figure is not to be broken where a narrow terminal could run over instead."""
    return max((len(word) for text in texts for word in text.split() if len(word) <= _LONGEST_WHOLE), default=1)


def _numeric(columns: Sequence[str], rows: Rows) -> list[bool]:
    return [all(isinstance(row[place], int | float | None) for row in rows) for place in range(len(columns))]


def _texts(row: Sequence[Any], shares: range) -> list[str]:
    return [_shown(value, is_share=place in shares) for place, value in enumerate(row)]


def _shown(value: Any, *, is_share: bool) -> str:
    if value is None:
        return _ABSENT
    if is_share:
        return f"{value:.1f}"
    return f"{value:.6g}" if isinstance(value, float) else _as_text(value)


def _as_text(value: Any) -> str:
    return f"({len(value)} bytes)" if isinstance(value, bytes) else str(value)
