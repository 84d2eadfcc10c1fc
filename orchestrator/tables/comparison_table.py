"""Two sweeps side by side, for people and for programs."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from orchestrator.escaping import markdown, visible
from orchestrator.store.reading.counterparts import telling
from orchestrator.store.reading.paired_results import Cell, Change, Comparison, Side
from orchestrator.tables.generic_table import render_rows
from orchestrator.tables.results_table import Format
from orchestrator.tables.terminal_table import Whole, plain_table

_ABSENT = "-"
_SHORT = ("data.name", "model.name", "defence.name")
_MOST_VALUES = 4
_FIGURES = ("difference", "95% low", "95% high")
Columns = Sequence[tuple[str, bool]]
"""Titles, and whether numbers are below them."""


def render_comparison(comparison: Comparison, form: Format, *, every_cell: bool) -> str | Group:
    """What differs between the sweeps, and their accuracies and differences cell by cell, in percent and in percent points.

    With `every_cell` the cells that only one of them has are among the rows; else they are counted. CSV is the table alone. JSON has
    every cell, and shares in [0, 1].
    """
    if form == "json":
        return _json(comparison)
    cells = [cell for cell in comparison.cells if every_cell or (cell.before and cell.after)]
    names = telling([cell.side.settings for cell in cells], comparison.identity)
    cells.sort(key=lambda cell: _order(cell, names))
    if form == "csv":
        return str(render_rows(*_numbers(comparison, cells, names), form))
    lines = summary(comparison, every_cell=every_cell)
    columns, rows = _texts(comparison, cells, names)
    return _markdown(lines, columns, rows) if form == "markdown" else _terminal(lines, columns, rows)


def _markdown(lines: Sequence[str], columns: Columns, rows: Sequence[Sequence[str]]) -> str:
    table = [[markdown(column) for column, _ in columns], ["---:" if numeric else "---" for _, numeric in columns]]
    table += [[markdown(text) for text in row] for row in rows]
    return "\n".join([*(f"- {markdown(line)}" for line in lines), "", *(f"| {' | '.join(row)} |" for row in table)])


def _terminal(lines: Sequence[str], columns: Columns, rows: Sequence[Sequence[str]]) -> Group:
    table = plain_table()
    for column, numeric in columns:
        table.add_column(Text(visible(column)), justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(visible(text)) for text in row))
    return Group(*(Text(visible(line)) for line in lines), Text(""), Whole(table))


def summary(comparison: Comparison, *, every_cell: bool) -> list[str]:
    """What was compared, what differs between the sides, and how many cells were not compared, one line each."""
    before, after = comparison.before, comparison.after
    compared = sum(cell.difference is not None for cell in comparison.cells)
    lines = [f"{after} against {before}: {_count(compared)} compared; differences are percent points, {after} minus {before}"]
    lines += [f"{change.setting}: {_values(change)}" for change in comparison.changes]
    if same := sum(cell.same_jobs for cell in comparison.cells):
        lines.append(f"the same jobs in both: {_count(same)}")
    alone = {before: sum(cell.after is None for cell in comparison.cells), after: sum(cell.before is None for cell in comparison.cells)}
    lines += [
        f"only in {name}: {_count(number)}" + ("" if every_cell else "; --all lists them") for name, number in alone.items() if number
    ]
    return lines


def _count(number: int) -> str:
    return f"{number} cell{'' if number == 1 else 's'}"


def _values(change: Change) -> str:
    shown = [f"{_word(before, absent='none')} -> {_word(after, absent='none')}" for before, after in change.values[:_MOST_VALUES]]
    return ", ".join([*shown, *(["..."] if len(change.values) > _MOST_VALUES else [])])


def _word(value: Any, *, absent: str = _ABSENT) -> str:
    if value is None:
        return absent
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _titles(names: Sequence[str]) -> list[str]:
    return [name.split(".")[0] if name in _SHORT else name.removeprefix("model.").replace("_", " ") for name in names]


def _numbers(comparison: Comparison, cells: Sequence[Cell], names: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """The columns and rows for programs."""
    columns = [*_titles(names), "examples", "jobs", f"{comparison.before} %", f"{comparison.after} %", *_FIGURES]
    rows = [
        [*(_setting(cell.side, name) for name in names), cell.examples, _jobs(cell, comparison), *_accuracies(cell), *_difference(cell)]
        for cell in cells
    ]
    return columns, rows


def _texts(comparison: Comparison, cells: Sequence[Cell], names: Sequence[str]) -> tuple[list[tuple[str, bool]], list[list[str]]]:
    """The columns, and whether they hold numbers, and the rows for people."""
    numeric = [name == "epsilon" or all(isinstance(_setting(cell.side, name), int | float | None) for cell in cells) for name in names]
    columns = list(zip(_titles(names), numeric, strict=True))
    columns += [(f"{comparison.before} %", True), (f"{comparison.after} %", True), ("difference", True), ("95% interval", True)]
    rows = [
        [*(_word(_setting(cell.side, name)) for name in names), *map(_points, _accuracies(cell)), *_shown_difference(cell)]
        for cell in cells
    ]
    if len({cell.examples for cell in cells}) > 1:
        columns.append(("examples", True))
        rows = [[*row, str(cell.examples)] for row, cell in zip(rows, cells, strict=True)]
    return columns, rows


def _order(cell: Cell, names: Sequence[str]) -> list[tuple[bool, bool, Any]]:
    """Settings in their order: numbers before words, clean accuracy before attacks, the plain net before its sketches."""
    values = [(name, cell.side.settings.get(name)) for name in names]
    plain = [-value if name == "model.theta" and value is not None else "" if value == "none" else value for name, value in values]
    return [(value is not None, isinstance(value, str), value if isinstance(value, int | float | str) else str(value)) for value in plain]


def _setting(side: Side, name: str) -> Any:
    """A setting for a cell of the table; an epsilon as it was written."""
    value = side.settings.get(name)
    if name == "epsilon":
        return side.epsilon_literal if value else None
    return value if isinstance(value, int | float | str | None) and not isinstance(value, bool) else _word(value)


def _jobs(cell: Cell, comparison: Comparison) -> str:
    """How the sides' jobs are related."""
    if cell.before is None or cell.after is None:
        return f"only in {comparison.before if cell.after is None else comparison.after}"
    return "same job" if cell.same_jobs else "compared"


def _accuracies(cell: Cell) -> list[float | None]:
    return [None if side is None else 100 * side.accuracy for side in (cell.before, cell.after)]


def _difference(cell: Cell) -> list[float | None]:
    return [None] * len(_FIGURES) if cell.difference is None else [100 * value for value in cell.difference]


def _points(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.1f}"


def _shown_difference(cell: Cell) -> tuple[str, str]:
    if cell.difference is None:
        return "same job" if cell.same_jobs else _ABSENT, _ABSENT
    difference, low, high = (100 * value for value in cell.difference)
    return f"{difference:+.1f}", f"{low:+.1f} to {high:+.1f}"


def _json(comparison: Comparison) -> str:
    """Everything, accuracies and differences in [-1, 1]."""
    return json.dumps(
        {
            "before": comparison.before,
            "after": comparison.after,
            "changes": {change.setting: [list(pair) for pair in change.values] for change in comparison.changes},
            "cells": [_record(cell, comparison) for cell in comparison.cells],
        },
        indent=1,
    )


def _record(cell: Cell, comparison: Comparison) -> dict[str, Any]:
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
