"""The comparison for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from orchestrator import hints
from orchestrator.escaping import json_text
from orchestrator.report.paper.beside_published import ComparedTable, OurFigure, SetupFigures
from orchestrator.report.paper.notes import notes
from orchestrator.report.paper.published import PublishedFigure


def paper_json(tables: Sequence[ComparedTable]) -> str:
    """Every cell with all that it is of, what the paper printed and what is stored; accuracies in percent, differences in points."""
    return json_text([_table(table) for table in tables], indent=1)


def _table(table: ComparedTable) -> dict[str, Any]:
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
