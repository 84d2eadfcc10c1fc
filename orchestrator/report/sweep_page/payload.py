"""Data of the page's script: compressed JSON, which the page unpacks when a figure or a table comes into view."""

import base64
import json
import zlib
from collections.abc import Sequence
from math import isfinite
from typing import Any

from orchestrator.report.figures.picture import Picture, Record
from orchestrator.tables.table import Cell, Column, Table, shown, table_of
from orchestrator.terminal.escaping import visible

_PLAIN = frozenset({int, bool, type(None)})


def pack(value: object) -> str:
    """Encode the value as base64 of deflated JSON: a tenth of its size, and without characters that are special in HTML."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode())).decode()


def _finite(value: Any) -> Any:
    """Return plain values with nothing in the places of numbers that are not finite: JSON has none, and plotly.js leaves gaps there."""
    match value:
        case float():
            return value if isfinite(value) else None
        case dict():
            return {name: _finite(item) for name, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value


def unpack(text: str) -> Any:
    """Decode the output of `pack`."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def picture_payload(picture: Picture) -> dict[str, Any]:
    """Return the figure for plotly.js, without a light or dark template, and its table."""
    return {**picture.drawing, "table": table_payload(table_of_records(picture.table)), "faint": picture.faint}


def table_of_records(records: Sequence[Record]) -> Table:
    """Return records as a table; every one has the names of the first."""
    names = list(records[0]) if records else []
    return table_of(names, [[record[name] for name in names] for record in records])


def table_payload(table: Table) -> list[dict[str, Any]]:
    """Return the table column by column, as the page's script takes it."""
    return [
        {
            "title": visible(column.title),
            "numeric": column.is_right,
            "values": _values([row[place] for row in table.rows], column),
        }
        for place, column in enumerate(table.columns)
    ]


def _values(cells: Sequence[Cell], column: Column) -> list[Any]:
    """Return the cells for JSON: few values, of many rows; plain ones as they are."""
    if column.kind in ("text", "number") and _PLAIN.issuperset(map(type, cells)):
        return list(cells)
    keys = [(type(cell), cell) for cell in cells]
    known = {key: _value(key[1], column) for key in set(keys)}
    return [known[key] for key in keys]


def _value(cell: Cell, column: Column) -> Any:
    """Return the cell for JSON: a number with the digits that other tables show, as text where it is not finite, and invisible characters
    escaped."""
    if cell is None or isinstance(cell, bool):
        return cell
    if isinstance(cell, int | float) and column.kind in ("text", "number"):
        return type(cell)(shown(cell)) if isfinite(cell) else str(cell)
    return visible(shown(cell, column.kind))
