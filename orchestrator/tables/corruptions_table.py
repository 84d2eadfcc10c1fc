"""Accuracies under common corruptions: for people a line for each model and corruption, for programs one for each severity."""

from collections.abc import Sequence
from itertools import groupby
from statistics import fmean
from typing import Any

from orchestrator.naming.varying_axes import Axes, settings_of
from orchestrator.store.reading.values import CorruptionRow
from orchestrator.tables.table import Cell, Column, Table
from workers.spec.corruption import SEVERITIES

_SAID = ("sweep", "model_key", "corruption", "severity", "corruption_seed", "accuracy", "ci_low", "ci_high")
_COUNTS = {
    "n_examples": "examples",
    "example_order": "example order",
    "evaluation_batch_size": "examples a draw",
    "repeats": "repeats",
    "draws": "draws",
}
"""What a row counts, and what that is called in tables."""
_NONE = "no corruptions measured yet; a section `corruptions` of a space asks for them"


def corruptions_table(rows: Sequence[CorruptionRow]) -> Table:
    """The rows for people: percent right at each severity and over all; the mean over corruptions closes a model's lines."""
    axes = Axes.of(settings_of(row) for row in {row.model_key: row for row in rows}.values())
    found: list[tuple[Cell, ...]] = []
    groups: list[int] = []
    for _, of_model in groupby(rows, key=_model):
        lines = _lines(list(of_model), axes)
        found += lines
        groups.append(len(lines))
    severities = tuple(Column(f"severity {severity}", "tenths", f"severity {severity}") for severity in SEVERITIES)
    columns = (Column("model", wraps=True), Column("corruption"), *severities, Column("mean", "tenths"))
    return Table(columns=columns, rows=tuple(found), groups=tuple(groups), common=_common(rows), caption="Common corruptions", empty=_NONE)


def _model(row: CorruptionRow) -> tuple[Any, ...]:
    return row.sweep, row.model_key, row.n_examples, row.example_order, row.corruption_seed


def _lines(rows: Sequence[CorruptionRow], axes: Axes) -> list[tuple[Cell, ...]]:
    name = axes.label(settings_of(rows[0]))
    means: list[dict[int, float]] = []
    lines: list[tuple[Cell, ...]] = []
    for corruption, some in groupby(rows, key=lambda row: row.corruption):
        shares = {row.severity: 100 * row.accuracy for row in some}
        means.append(shares)
        lines.append((name, corruption, *(shares.get(severity) for severity in SEVERITIES), fmean(shares.values())))
    over = [[found[severity] for found in means if severity in found] for severity in SEVERITIES]
    every = fmean(fmean(found.values()) for found in means)
    return [*lines, (name, "mean", *(fmean(found) if found else None for found in over), every)]


def _common(rows: Sequence[CorruptionRow]) -> tuple[str, ...]:
    """Columns that all rows share."""
    said = {name: {getattr(row, name) for row in rows} for name in _COUNTS}
    return tuple(f"{_COUNTS[name]} {next(iter(values))}" for name, values in said.items() if len(values) == 1)


def corruptions_data(rows: Sequence[CorruptionRow]) -> Table:
    """The rows for programs, accuracies as shares in [0, 1]."""
    axes = Axes.of(settings_of(row) for row in {row.model_key: row for row in rows}.values())
    names = (*_SAID[:2], "model", *_SAID[2:], *_COUNTS, "job_keys")
    cells = tuple(
        (
            *(getattr(row, name) for name in _SAID[:2]),
            axes.label(settings_of(row)),
            *(getattr(row, name) for name in (*_SAID[2:], *_COUNTS)),
            " ".join(row.job_keys),
        )
        for row in rows
    )
    return Table(columns=tuple(map(Column, names)), rows=cells)
