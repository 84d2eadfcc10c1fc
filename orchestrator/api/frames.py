"""Tables as pandas frames: each column with the type of what it holds."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pandas as pd

from orchestrator.naming.own_settings import value_of
from orchestrator.naming.setting_kinds import SettingKind, declared_kind
from orchestrator.naming.varying_axes import column_names
from orchestrator.store import ResultRow

_TYPES: dict[type, str] = {bool: "bool", int: "int64", float: "float64", str: "str", datetime: "datetime64[us, UTC]"}
_KINDS: dict[SettingKind, str] = {"boolean": "boolean", "number": "float64", "whole": "Int64"}
_WITH_NONE = {"bool": "boolean", "int64": "Int64"}


def frame_of_results(rows: Sequence[ResultRow]) -> pd.DataFrame:
    """Return one row per result; numbers, Booleans and strings have pandas' types, other values are objects."""
    hints = get_type_hints(ResultRow)
    names = dict.fromkeys([*(field.name for field in fields(ResultRow)), *column_names(rows)])
    values = {name: [value_of(row, name) for row in rows] for name in names}
    types = {name: dtype_of(hints[name]) if name in hints else dtype_of_setting(name, found) for name, found in values.items()}
    return pd.DataFrame({name: pd.Series(found, dtype=types[name]) for name, found in values.items()})


def frame_of_models(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return trained models as a frame, each column with the type that it has in the results."""
    hints = {**get_type_hints(ResultRow), "seconds": float, "resumed_key": str | None}
    hints |= {"finished_at": datetime, "randomised": bool | None}
    by_column = {name: [row[place] for row in rows] for place, name in enumerate(columns)}
    types = {name: dtype_of(hints[name]) if name in hints else dtype_of_setting(name, values) for name, values in by_column.items()}
    return pd.DataFrame({name: pd.Series(values, dtype=types[name]) for name, values in by_column.items()})


def frame_of_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return a table as a frame; a column's type is that of its values, with exact decimals (PostgreSQL's averages) as floats."""
    plain = [[float(value) if isinstance(value, Decimal) else value for value in row] for row in rows]
    return pd.DataFrame(plain, columns=list(columns), dtype=object).infer_objects()


def dtype_of(hint: Any) -> str:
    """Return the pandas type of a field: `object` for anything but a number, Boolean or string."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = {kind for option in options if option is not NoneType for kind in _kinds(option)}
    known = _TYPES.get(kinds.pop(), "object") if len(kinds) == 1 else "object"
    return _WITH_NONE.get(known, known) if NoneType in options else known


def dtype_of_setting(name: str, values: Sequence[Any]) -> str:
    """The pandas type of a setting or metric, as it is registered, or else of its values; `object` for what is no number or truth value."""
    if (kind := declared_kind(name)) is not None:
        return _KINDS.get(kind, "object")
    kinds = {type(value) for value in values if value is not None}
    known = "float64" if kinds == {int, float} else _TYPES.get(kinds.pop(), "object") if len(kinds) == 1 else "object"
    return _WITH_NONE.get(known, known)


def _kinds(hint: Any) -> set[Any]:
    return {type(value) for value in get_args(hint)} if get_origin(hint) is Literal else {hint}
