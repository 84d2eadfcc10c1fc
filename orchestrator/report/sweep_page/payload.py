"""Data for the page's script: compressed JSON, which the page unpacks when a figure comes into view."""

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
    """The value as base64 of deflated JSON: a tenth of its size, and letters that mean nothing in HTML, whatever names it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode())).decode()


def unpack(text: str) -> Any:
    """What `pack` packed."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def picture_payload(picture: Picture) -> dict[str, Any]:
    """The figure as plotly.js takes it, without colours of light or dark, and its table."""
    figure = json.loads(picture.figure.to_json())
    figure["layout"].pop("template", None)
    return {"data": figure["data"], "layout": figure["layout"], "table": columns_of(picture.table)}


def columns_of(table: Table) -> list[Column]:
    """The table column by column; every row has the columns of the first."""
    names = list(table[0]) if table else []
    return [column(name, [row[name] for row in table]) for name in names]


def column(title: str, values: Sequence[Cell], *, numeric: bool | None = None) -> Column:
    """One column, aligned to the right if `numeric` (None: if all its values are numbers)."""
    if numeric is None:
        numeric = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)
    shown = [_cell(value) for value in values]
    return {"title": visible(title), "numeric": numeric, "values": shown}


def _cell(value: Cell) -> Cell:
    """The value as JSON and a reader take it: an infinite loss, and characters that would not be seen, in letters."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return visible(value) if isinstance(value, str) else value
