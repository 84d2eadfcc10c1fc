"""Data for the page's script: compressed JSON, which the page unpacks when a figure or a table comes into view."""

import base64
import json
import zlib
from collections.abc import Sequence
from math import isfinite
from typing import Any

from orchestrator.escaping import visible
from orchestrator.figures.picture import Picture, Record
from orchestrator.tables.table import Cell, Column, Table, shown, table_of


def pack(value: object) -> str:
    """The value as base64 of deflated JSON: a tenth of its size, and letters that mean nothing in HTML, whatever names it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode())).decode()


def unpack(text: str) -> Any:
    """Return what `pack` packed."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def picture_payload(picture: Picture) -> dict[str, Any]:
    """The figure as plotly.js takes it, without colours of light or dark, and its table."""
    figure = json.loads(picture.figure.to_json())
    figure["layout"].pop("template", None)
    return {"data": figure["data"], "layout": figure["layout"], "table": table_payload(table_of_records(picture.table))}


def table_of_records(records: Sequence[Record]) -> Table:
    """Records as a table; every one has the names of the first."""
    names = list(records[0]) if records else []
    return table_of(names, [[record[name] for name in names] for record in records])


def table_payload(table: Table) -> list[dict[str, Any]]:
    """The table column by column, as the page's script takes it."""
    return [
        {
            "title": visible(column.title),
            "numeric": column.is_right,
            "values": [_value(row[place], column) for row in table.rows],
        }
        for place, column in enumerate(table.columns)
    ]


def _value(cell: Cell, column: Column) -> Any:
    """The cell as JSON and a reader take it: an infinite loss, and characters that would not be seen, in letters."""
    if cell is None or isinstance(cell, bool):
        return cell
    if isinstance(cell, int | float) and column.kind in ("text", "number"):
        return cell if isfinite(cell) else str(cell)
    return visible(shown(cell, column.kind))
