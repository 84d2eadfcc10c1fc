"""The comparison as tables: a row of the paper's with our lines under it, in every format."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from rich.console import RenderableType

from orchestrator.report.paper.notes import LEGEND, notes
from orchestrator.report.paper.published import PublishedFigure, PublishedRow
from orchestrator.report.paper.published_comparison import ComparedTable, OurFigure, SetupFigures
from orchestrator.tables.table import Code, Column, Table, TableRow
from orchestrator.tables.writers import Format, render
from orchestrator.terminal import hints
from orchestrator.terminal.escaping import json_text

_TITLE = "The paper's tables"
_OF_OURS = ("accuracy", "ci_low", "ci_high", "difference", "covers", "repeats", "n_examples", "model_key")


def render_paper(tables: Sequence[ComparedTable], form: Format) -> str | RenderableType:
    """The compared tables in the asked format: text, or what rich prints on a terminal."""
    if form == "json":
        return paper_json(tables)
    if form == "csv":
        return render(_data(tables), form)
    return render([_table(table) for table in tables], form, title=_TITLE, legend=LEGEND)


@dataclass(frozen=True)
class _SetupLine:
    """A line under a row of the paper's: the figures of one setup, None where there is none yet."""

    label: str
    figures: tuple[OurFigure | None, ...]


def _table(table: ComparedTable) -> Table:
    blocks = [_block(table, row, cells) for row, cells in zip(table.published.rows, table.cells, strict=True)]
    columns = [Column("row", "group", "", wraps=True), Column("figures", "label", "")]
    columns += [Column(column.label, align="right") for column in table.published.columns]
    return Table(
        name=f"paper-{table.published.number}",
        title=f"Table {table.published.number}: {table.published.caption}",
        caption=f"{table.published.caption} (table {table.published.number} of the paper).",
        columns=tuple(columns),
        rows=tuple(chain(*blocks)),
        groups=tuple(map(len, blocks)),
        notes=tuple(notes(table)),
    )


def _block(table: ComparedTable, row: PublishedRow, published: Sequence[PublishedFigure]) -> list[TableRow]:
    """A row of the paper's table and our lines under it, at least one; an empty cell has the command that fills it."""
    found = [_SetupLine(lines.label, tuple(lines.figures.get(figure) for figure in published)) for lines in table.lines]
    launch = Code(f"launch {table.published.launch}")
    ours = [("", line.label, *(figure or launch for figure in line.figures)) for line in _merged(found, columns=len(published))]
    return [(row.title, "paper", *(f"{figure.published:.1f}" for figure in published)), *ours]


def _merged(lines: list[_SetupLine], *, columns: int) -> list[_SetupLine]:
    """One line for all setups that have the same figures: a dense net belongs to every rank."""
    if len(lines) == 1 or any(line.figures != lines[0].figures for line in lines):
        return lines
    figures = lines[0].figures if lines else (None,) * columns
    found = [figure for figure in figures if figure is not None]
    dense = found and not any(figure.row.tensorized for figure in found)
    return [_SetupLine("dense" if dense else "ours", figures)]


def _data(tables: Sequence[ComparedTable]) -> Table:
    """Every published figure, once for each setup that has one of ours."""
    names = ("table", "row", "column", "published", "ours")
    rows = [
        (table.published.number, figure.title, figure.column, figure.published, label, *(ours.get(name) for name in _OF_OURS))
        for table in tables
        for figure in chain(*table.cells)
        for label, ours in our_records(table, figure).items() or [(None, {})]
    ]
    return Table(columns=tuple(map(Column, (*names, *_OF_OURS))), rows=tuple(rows))


def paper_json(tables: Sequence[ComparedTable]) -> str:
    """Every cell with all that it is of, what the paper printed and what is stored; accuracies in percent, differences in points."""
    return json_text([_table_record(table) for table in tables], indent=1)


def _table_record(table: ComparedTable) -> dict[str, Any]:
    return {
        "table": table.published.number,
        "caption": table.published.caption,
        "setups": [_setup(lines) for lines in table.lines],
        "cells": [_cell(table, cell) for row in table.cells for cell in row],
        "notes": notes(table),
    }


def _setup(lines: SetupFigures) -> dict[str, Any]:
    values = asdict(lines.setup)
    kind, fraction = values.pop("rank") or (None, None)
    modes, rescale = values.pop("sketch") or (None, None)
    return {"label": lines.label, **values, "rank_kind": kind, "rank_fraction": fraction, "sketch_modes": modes, "rescale": rescale}


def _cell(table: ComparedTable, cell: PublishedFigure) -> dict[str, Any]:
    ours = our_records(table, cell)
    launch = None if ours and len(ours) == len(table.lines) else hints.command("launch", table.published.launch)
    return {**cell.model_dump(mode="json"), "ours": ours, "launch": launch}


def our_records(table: ComparedTable, cell: PublishedFigure) -> dict[str, dict[str, Any]]:
    """Our figures for a cell by the label of their setup."""
    return {lines.label: _figure(lines.figures[cell]) for lines in table.lines if cell in lines.figures}


def _figure(figure: OurFigure) -> dict[str, Any]:
    return {
        "accuracy": figure.value,
        "ci_low": figure.low,
        "ci_high": figure.high,
        "difference": figure.difference,
        "covers": figure.covers,
        "repeats": figure.row.repeats,
        "n_examples": figure.row.n_examples,
        "model_key": figure.row.model_key,
        "job_keys": list(figure.row.job_keys),
    }
