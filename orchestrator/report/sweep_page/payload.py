"""Data of the page's script: compressed JSON, which the page unpacks when a figure comes into view."""

import base64
import json
import zlib
from collections.abc import Sequence
from math import isfinite
from typing import Any

from orchestrator.escaping import visible
from orchestrator.figures.picture import Cell, Picture, Table

Column = dict[str, Any]


def pack(value: object) -> str:
    """Encode the value as base64 of deflated JSON: a tenth of its size, and without characters that are special in HTML."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode())).decode()


def unpack(text: str) -> Any:
    """Decode the output of `pack`."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def picture_payload(picture: Picture) -> dict[str, Any]:
    """Return the figure for plotly.js, without a light or dark template, and its table."""
    figure = json.loads(picture.figure.to_json())
    figure["layout"].pop("template", None)
    return {"data": figure["data"], "layout": figure["layout"], "table": columns_of(picture.table)}


def columns_of(table: Table) -> list[Column]:
    """Return the table column by column; every row has the columns of the first."""
    names = list(table[0]) if table else []
    return [column(name, [row[name] for row in table]) for name in names]


def column(title: str, values: Sequence[Cell], *, numeric: bool | None = None) -> Column:
    """Return one column, aligned to the right if `numeric` (None: if all its values are numbers)."""
    if numeric is None:
        numeric = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)
    shown = [_cell(value) for value in values]
    return {"title": visible(title), "numeric": numeric, "values": shown}


def _cell(value: Cell) -> Cell:
    """Return the value for JSON: a number that is not finite as text, and invisible characters escaped."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return visible(value) if isinstance(value, str) else value
