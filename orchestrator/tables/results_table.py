"""The results table: rich on a terminal, or CSV, JSON and Markdown."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from orchestrator.escaping import csv_cell, markdown, visible
from orchestrator.store import ResultRow
from orchestrator.store.reading.own_settings import own_names, value_of, varying_names
from orchestrator.tables.result_columns import common_values, shown_columns
from orchestrator.tables.terminal_table import pipe_table, plain_table

Format = Literal["table", "csv", "json", "markdown"]
_ENDLESS = 10_000
_INTERNAL = frozenset({"stage"})


@dataclass(frozen=True)
class ResultsTable:
    """The table for a terminal, in the widest layout that fits it. Where none does it runs over the edge: digits are never cut.

    Print it with `crop=False`.
    """

    rows: Sequence[ResultRow]
    spread: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for narrow in (False, True):
            table = _table(self.rows, narrow=narrow, spread=self.spread)
            width = Measurement.get(console, options.update(width=_ENDLESS), table).maximum
            if narrow or width <= options.max_width:
                yield from console.render(table, options.update(width=max(width, options.max_width)))
                return


def render_results(rows: Sequence[ResultRow], form: Format, *, spread: bool = False) -> str | ResultsTable:
    """The rows in the asked format: text, or a rich table for the terminal; with `spread` tables for people have the standard errors."""
    match form:
        case "json":
            return json.dumps([record(row) for row in rows], indent=1)
        case "csv":
            return _csv(rows)
        case "markdown":
            return _markdown(rows, spread=spread)
        case "table":
            return ResultsTable(rows, spread)


def record(row: ResultRow) -> dict[str, Any]:
    """A row as JSON knows it, with the own settings of components and the metrics by their names; accuracies are shares in [0, 1]."""
    fields = {name: value for name, value in asdict(row).items() if name not in _INTERNAL}
    return {**{name: value_of(row, name) for name in own_names([row])}, **fields}


def _csv(rows: Sequence[ResultRow]) -> str:
    text = io.StringIO()
    fields = [name for name in ResultRow.__dataclass_fields__ if name not in _INTERNAL]
    names = dict.fromkeys([*fields, *own_names(rows), *varying_names(rows)])
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        rank = "" if row.rank is None else ";".join(f"{layer}={'x'.join(map(str, rank))}" for layer, rank in row.rank.items())
        joined = {"job_keys": " ".join(row.job_keys), "reasons": "; ".join(row.reasons), "rank": rank}
        values = {name: _joined(value_of(row, name)) for name in names} | joined
        writer.writerow({name: csv_cell(value) for name, value in values.items()})
    return text.getvalue().rstrip("\n")


def _joined(value: Any) -> Any:
    """Settings as `name=value;...`."""
    if not isinstance(value, dict):
        return value
    return ";".join(f"{name}={item:g}" if isinstance(item, float) else f"{name}={item}" for name, item in value.items())


def _markdown(rows: Sequence[ResultRow], *, spread: bool) -> str:
    columns = shown_columns(rows, spread=spread)
    cells = [[column.text(row) for column in columns] for row in rows]
    table = pipe_table([column.title for column in columns], cells, numeric=[column.numeric for column in columns])
    return "\n".join([table, "", markdown(_common(rows))])


def _table(rows: Sequence[ResultRow], *, narrow: bool, spread: bool) -> Table:
    columns = shown_columns(rows, narrow=narrow, spread=spread)
    caption = Text(visible(_common(rows, narrow=narrow)), style="table.caption")
    table = plain_table(caption=caption, caption_justify="left", padding=0 if narrow else (0, 1))
    for column in columns:
        title = column.narrow_title if narrow else column.title
        table.add_column(title, justify="right" if column.numeric else "left", no_wrap=True)
    for _, of_model in groupby(rows, key=lambda row: row.model_key):
        for row in of_model:
            table.add_row(*(Text(visible(column.text(row))) for column in columns))
        table.add_section()
    return table


def _common(rows: Sequence[ResultRow], *, narrow: bool = False) -> str:
    """What holds for all rows, in one line."""
    return f"All rows: {', '.join(common_values(rows, narrow=narrow))}." if rows else "no results yet"
