"""Two sweeps side by side, for people and for programs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rich.console import RenderableType

from orchestrator.naming.names import counted
from orchestrator.naming.varying_axes import title
from orchestrator.store.reading.counterparts import telling
from orchestrator.store.reading.paired_results import Change, Comparison, PairedCell, Side
from orchestrator.tables.table import Cell, Column, Table, shown, table_of
from orchestrator.tables.writers import Format, render
from orchestrator.terminal.escaping import json_text

_MOST_VALUES = 4
_FIGURES = ("difference", "95% low", "95% high")


def render_comparison(comparison: Comparison, form: Format, *, every_cell: bool, notes: tuple[str, ...] = ()) -> str | RenderableType:
    """The differences between the sweeps, and their accuracies and differences cell by cell, in percent and in percent points.

    With `every_cell` the cells that only one of them has are among the rows; else they are counted. CSV is the table alone. JSON has
    every cell, and shares in [0, 1].
    """
    if form == "json":
        return _json(comparison)
    cells = [cell for cell in comparison.cells if every_cell or (cell.before and cell.after)]
    names = telling([cell.side.settings for cell in cells], comparison.identity)
    cells.sort(key=lambda cell: _order(cell, names))
    lead = [*summary(comparison, every_cell=every_cell), *_in_all_rows(comparison, cells, names)]
    return render(replace(_table(comparison, cells, names, lead=lead), notes=notes), form)


def _in_all_rows(comparison: Comparison, cells: Sequence[PairedCell], names: Sequence[str]) -> list[str]:
    """Say which settings vary in the sweeps, and are the same in the rows that are shown."""
    varying = telling([cell.side.settings for cell in comparison.cells], comparison.identity)
    same = [name for name in varying if name not in names]
    if not cells or not same:
        return []
    told = zip(_titles(same), (_setting(cells[0].side, name) for name in same), strict=True)
    return ["in all rows: " + ", ".join(f"{name} {'none' if value is None else shown(value)}" for name, value in told)]


def summary(comparison: Comparison, *, every_cell: bool) -> list[str]:
    """Describe what was compared, what differs between the sides, and how many cells were not compared, one line each."""
    before, after = comparison.before, comparison.after
    compared = sum(cell.difference is not None for cell in comparison.cells)
    lines = [f"{after} against {before}: {counted(compared, 'cell')} compared; differences are percent points, {after} minus {before}"]
    lines += [f"{change.setting}: {_values(change)}" for change in comparison.changes]
    if same := sum(cell.same_jobs for cell in comparison.cells):
        lines.append(f"the same jobs in both: {counted(same, 'cell')}")
    alone = {before: sum(cell.after is None for cell in comparison.cells), after: sum(cell.before is None for cell in comparison.cells)}
    lines += [
        f"only in {name}: {counted(number, 'cell')}" + ("" if every_cell else "; --all lists them")
        for name, number in alone.items()
        if number
    ]
    return lines


def _values(change: Change) -> str:
    pairs = [[("none" if value is None else shown(value)) for value in pair] for pair in change.values[:_MOST_VALUES]]
    return ", ".join([*map(" -> ".join, pairs), *(["..."] if len(change.values) > _MOST_VALUES else [])])


def _titles(names: Sequence[str]) -> list[str]:
    return [title(name, names) if "." in name else name.replace("_", " ") for name in names]


def _table(comparison: Comparison, cells: Sequence[PairedCell], names: Sequence[str], *, lead: Sequence[str]) -> Table:
    """A row for each cell; people see the number of examples only where it varies."""
    settings = [_settings(cell, names) for cell in cells]
    several = len({cell.examples for cell in cells}) > 1
    columns = [
        *_setting_columns(names, settings),
        Column("examples", "number", only="programs"),
        Column("jobs", only="programs"),
        Column(f"{comparison.before} %", "tenths"),
        Column(f"{comparison.after} %", "tenths"),
        *(Column(name, only="programs") for name in _FIGURES),
        Column("difference", align="right", only="people"),
        Column("95% interval", align="right", only="people"),
        *([Column("examples", "number", only="people")] if several else []),
    ]
    rows = []
    for own, cell in zip(settings, cells, strict=True):
        measured = (*_accuracies(cell), *_difference(cell), *_shown_difference(cell), *([cell.examples] if several else []))
        rows.append((*own, cell.examples, _jobs(cell, comparison), *measured))
    caption = f"{comparison.after} against {comparison.before}"
    return Table(columns=tuple(columns), rows=tuple(rows), caption=caption, lead=tuple(lead), empty="no cells to compare")


def _setting_columns(names: Sequence[str], settings: Sequence[Sequence[Cell]]) -> list[Column]:
    typed = table_of(_titles(names), settings).columns
    return [
        Column(column.name, column.kind, align="right" if name == "epsilon" else None) for column, name in zip(typed, names, strict=True)
    ]


def _order(cell: PairedCell, names: Sequence[str]) -> list[tuple[bool, bool, Any]]:
    """Settings in their order: numbers before words, clean accuracy before attacks, the plain net before its sketches."""
    values = [(name, cell.side.settings.get(name)) for name in names]
    plain = [-value if name == "model.theta" and value is not None else "" if value == "none" else value for name, value in values]
    return [(value is not None, isinstance(value, str), value if isinstance(value, int | float | str) else str(value)) for value in plain]


def _settings(cell: PairedCell, names: Sequence[str]) -> list[Cell]:
    """The settings of a cell; an epsilon as it was written."""
    return [_setting(cell.side, name) for name in names]


def _setting(side: Side, name: str) -> Cell:
    value = side.settings.get(name)
    if name == "epsilon":
        return side.epsilon_literal if value else None
    return value if isinstance(value, int | float | str | None) and not isinstance(value, bool) else shown(value)


def _jobs(cell: PairedCell, comparison: Comparison) -> str:
    """Describe how the sides' jobs are related."""
    if cell.before is None or cell.after is None:
        return f"only in {comparison.before if cell.after is None else comparison.after}"
    return "same job" if cell.same_jobs else "compared"


def _accuracies(cell: PairedCell) -> list[float | None]:
    return [None if side is None else 100 * side.accuracy for side in (cell.before, cell.after)]


def _difference(cell: PairedCell) -> list[float | None]:
    return [None] * len(_FIGURES) if cell.difference is None else [100 * value for value in cell.difference]


def _shown_difference(cell: PairedCell) -> tuple[str | None, str | None]:
    if cell.difference is None:
        return "same job" if cell.same_jobs else None, None
    difference, low, high = (100 * value for value in cell.difference)
    return f"{difference:+.1f}", f"{low:+.1f} to {high:+.1f}"


def _json(comparison: Comparison) -> str:
    """Everything, accuracies and differences in [-1, 1]."""
    return json_text(
        {
            "before": comparison.before,
            "after": comparison.after,
            "changes": {change.setting: [list(pair) for pair in change.values] for change in comparison.changes},
            "cells": [_record(cell, comparison) for cell in comparison.cells],
        },
        indent=1,
    )


def _record(cell: PairedCell, comparison: Comparison) -> dict[str, Any]:
    difference, low, high = cell.difference or (None, None, None)
    return {
        "settings": {name: cell.side.settings[name] for name in sorted(comparison.identity) if name in cell.side.settings},
        "before": _side_record(cell.before),
        "after": _side_record(cell.after),
        "examples": cell.examples,
        "same_jobs": cell.same_jobs,
        "difference": difference,
        "ci_low": low,
        "ci_high": high,
    }


def _side_record(side: Side | None) -> dict[str, Any] | None:
    return None if side is None else {"model_key": side.model_key, "job_keys": list(side.job_keys), "accuracy": side.accuracy}
