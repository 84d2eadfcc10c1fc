"""The results table: for people the columns worth their room, for programs every field."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.console import RenderableType

from orchestrator.store import ResultRow
from orchestrator.tables.result_columns import common_values, shown_columns
from orchestrator.tables.table import Column, Table
from orchestrator.tables.writers import Format, render

_INTERNAL = frozenset({"stage"})


def render_results(rows: Sequence[ResultRow], form: Format, *, spread: bool = False) -> str | RenderableType:
    """The rows in the asked format: text, or a rich table for the terminal; with `spread` tables for people have the standard errors."""
    if form in ("csv", "json"):
        return render(results_data(rows, flat=form == "csv"), form)
    return render(results_table(rows, spread=spread), form)


def results_table(rows: Sequence[ResultRow], *, spread: bool = False) -> Table:
    """The rows for people, those of one model together, with accuracies in percent."""
    return _layout(rows, narrow=False, spread=spread, narrower=_layout(rows, narrow=True, spread=spread))


def _layout(rows: Sequence[ResultRow], *, narrow: bool, spread: bool, narrower: Table | None = None) -> Table:
    columns = shown_columns(rows, narrow=narrow, spread=spread)
    return Table(
        columns=tuple(column.column for column in columns),
        rows=tuple(tuple(column.value(row) for column in columns) for row in rows),
        groups=tuple(len(list(of_model)) for _, of_model in groupby(rows, key=lambda row: row.model_key)),
        common=tuple(common_values(rows, narrow=narrow)),
        caption="Results",
        empty="no results yet",
        narrow=narrower,
    )


def results_data(rows: Sequence[ResultRow], *, flat: bool) -> Table:
    """Every field of the rows, accuracies as shares in [0, 1]; a `flat` table has no lists and mappings in its cells, but text."""
    names = [name for name in ResultRow.__dataclass_fields__ if name not in _INTERNAL]
    records = [_flattened(row) if flat else asdict(row) for row in rows]
    return Table(columns=tuple(map(Column, names)), rows=tuple(tuple(record[name] for name in names) for record in records))


def _flattened(row: ResultRow) -> dict[str, Any]:
    return asdict(row) | {
        "rank": _joined({layer: "x".join(map(str, rank)) for layer, rank in (row.rank or {}).items()}),
        "defence_settings": _joined({name: f"{value:g}" for name, value in (row.defence_settings or {}).items()}),
        "stage_rank_fractions": ";".join(f"{share:g}" for share in row.stage_rank_fractions or ()),
        "job_keys": " ".join(row.job_keys),
        "reasons": "; ".join(row.reasons),
    }


def _joined(values: Mapping[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in values.items())
