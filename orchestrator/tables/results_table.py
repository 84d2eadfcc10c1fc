"""The results table: for people the columns worth their room, for programs every field."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

from rich.console import RenderableType

from orchestrator.axes import column_names
from orchestrator.own_settings import own_names, value_of
from orchestrator.store import ResultRow
from orchestrator.tables.result_columns import ResultColumns
from orchestrator.tables.table import Column, Table
from orchestrator.tables.writers import Format, render

_INTERNAL = frozenset({"stage"})


def render_results(
    rows: Sequence[ResultRow], form: Format, *, limit: int | None = None, spread: bool = False, notes: tuple[str, ...] = ()
) -> str | RenderableType:
    """The rows in the asked format: text, or a rich table for the terminal; with `spread` tables for people have the standard errors,
    and the `notes` below. At most `limit` of them are shown, with the columns that tell all of them apart."""
    if form in ("csv", "json"):
        return render(results_data(rows, flat=form == "csv", limit=limit), form)
    found = results_table(rows, spread=spread)
    narrow = found.narrow and found.narrow.cut(limit)
    return render(replace(found.cut(limit), narrow=narrow, notes=notes), form)


def results_table(rows: Sequence[ResultRow], *, spread: bool = False) -> Table:
    """The rows for people, those of one model together, with accuracies in percent."""
    found = ResultColumns(rows)
    groups = tuple(len(list(of_model)) for _, of_model in groupby(rows, key=lambda row: row.model_key))
    table = _layout(found, groups, narrow=False, spread=spread)
    return replace(table, narrow=_layout(found, groups, narrow=True, spread=spread))


def _layout(found: ResultColumns, groups: tuple[int, ...], *, narrow: bool, spread: bool) -> Table:
    columns = found.shown(narrow=narrow, spread=spread)
    return Table(
        columns=tuple(column.column for column in columns),
        rows=tuple(zip(*map(found.cells, columns), strict=True)),
        groups=groups,
        common=tuple(found.common(narrow=narrow)),
        caption="Results",
        empty="no results yet",
    )


def results_data(rows: Sequence[ResultRow], *, flat: bool, limit: int | None = None) -> Table:
    """Every field of the rows (at most `limit`), the own settings of components and the metrics by their names, accuracies as shares in
    [0, 1]; a `flat` table has no lists and mappings in its cells, but text, and a column for every setting of models that differs."""
    fields = [name for name in ResultRow.__dataclass_fields__ if name not in _INTERNAL]
    names = list(dict.fromkeys([*fields, *(column_names(rows) if flat else own_names(rows))]))
    records = [_flattened(row, names) if flat else record(row, names) for row in rows[:limit]]
    return Table(columns=tuple(map(Column, names)), rows=tuple(tuple(found[name] for name in names) for found in records))


def record(row: ResultRow, names: Sequence[str]) -> dict[str, Any]:
    """The fields and settings of a row by name."""
    fields = asdict(row)
    return {name: fields[name] if name in fields else value_of(row, name) for name in names}


def _flattened(row: ResultRow, names: Sequence[str]) -> dict[str, Any]:
    found = {name: _joined(value) if isinstance(value, Mapping) else value for name, value in record(row, names).items()}
    return found | {
        "rank": _joined({layer: "x".join(map(str, rank)) for layer, rank in (row.rank or {}).items()}),
        "job_keys": " ".join(row.job_keys),
        "reasons": "; ".join(row.reasons),
    }


def _joined(values: Mapping[str, Any]) -> str:
    """Settings as `name=value;...`."""
    return ";".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in values.items())
