"""Tables written for a terminal, for people's documents, and for programs."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Literal

from rich.console import RenderableType

from orchestrator.tables.table import Audience, Code, Column, Estimate, Mark, Table, TableRow, shown
from orchestrator.tables.terminal import TerminalTables
from orchestrator.terminal.escaping import csv_cell, json_text, markdown

_AT_ONCE = 100  # rows
Format = Literal["table", "csv", "json", "markdown", "latex", "html"]


def render(found: Table | Sequence[Table], form: Format, *, title: str = "", legend: str = "") -> str | RenderableType:
    """The tables in the asked format: text, or what rich prints on a terminal with `crop=False`.

    CSV and JSON are of a single table, and are its rows alone. `title` and `legend` are those of a document of several tables.
    """
    audience: Audience = "programs" if form in ("csv", "json") else "people"
    tables = [table.seen_by(audience) for table in ([found] if isinstance(found, Table) else found)]
    match form:
        case "table":
            return TerminalTables(tables, legend)
        case "csv":
            return "\n".join("".join(_csv(table)).rstrip("\n") for table in tables)
        case "json":
            return "".join(_json(tables))
        case "markdown":
            return "\n\n".join(
                [*([f"# {markdown(title)}"] if title else []), *([markdown(legend)] if legend else []), *map(_markdown, tables)]
            )
        case "latex":
            from orchestrator.tables.templates import fill

            return fill("tables.tex", tables=tables, legend=legend).rstrip()
        case "html":
            from orchestrator.tables.templates import fill

            links = [
                (table.name or f"table-{place}", table.title.partition(":")[0]) for place, table in enumerate(tables, 1) if table.title
            ]
            title = title or tables[0].title or tables[0].caption or "robustsweep"
            return fill("tables.html", tables=tables, title=title, legend=legend, links=links).rstrip()


def parts(table: Table, form: Literal["csv", "json"]) -> Iterator[str]:
    """The text that `render` returns, with its last line's end, some rows at a time: all of a large table would take several times its
    memory."""
    table = table.seen_by("programs")
    return _csv(table) if form == "csv" else chain(_json([table]), "\n")


def _json(tables: Sequence[Table]) -> Iterator[str]:
    separator = "[\n"
    for table in tables:
        names = [column.name for column in table.columns]
        for start in range(0, len(table.rows), _AT_ONCE):
            records = [dict(zip(names, row, strict=True)) for row in table.rows[start : start + _AT_ONCE]]
            yield separator + json_text(records, indent=1, default=shown)[2:-2]
            separator = ",\n"
    yield "[]" if separator == "[\n" else "\n]"


def _csv(table: Table) -> Iterator[str]:
    heads = [csv_cell(column.name) for column in table.columns]
    rows = ([csv_cell(shown(cell) if isinstance(cell, bytes | Mark | Code | Estimate) else cell) for cell in row] for row in table.rows)
    lines = chain([heads], rows)
    while some := list(islice(lines, _AT_ONCE)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(some)
        yield text.getvalue()


def _markdown(table: Table) -> str:
    head = [f"## {markdown(table.heading)}", ""] if table.heading else []
    lead = [*(f"- {markdown(line)}" for line in table.said_above), ""] if table.said_above else []
    titles = [markdown(column.title) for column in table.columns]
    rules = ["---:" if column.is_right else "---" for column in table.columns]
    rows = [*table.rows, *([table.total] if table.total else [])]
    lines = [f"| {' | '.join(titles)} |", f"|{'|'.join(rules)}|", *(_markdown_row(row, table.columns) for row in rows)] if titles else []
    below = ["", *map(markdown, table.said_below)] if table.said_below else []
    notes = ["", *(f"- {markdown(note)}" for note in table.notes)] if table.notes else []
    return "\n".join([*head, *lead, *lines, *below, *notes])


def _markdown_row(row: TableRow, columns: Sequence[Column]) -> str:
    cells = [
        f"`{cell.text}`" if isinstance(cell, Code) else shown(cell) if isinstance(cell, Estimate) else markdown(shown(cell, column.kind))
        for cell, column in zip(row, columns, strict=True)
    ]
    return f"| {' | '.join(cells)} |"
