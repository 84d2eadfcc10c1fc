"""What stands in a table's cells, for every output alike."""

from dataclasses import dataclass

from orchestrator.report.paper.beside_published import ComparedTable, Figure
from orchestrator.report.paper.published import Cell, Row


@dataclass(frozen=True)
class Line:
    """One line of a row over all columns: the figures of one setup, None where there is none yet."""

    label: str
    figures: tuple[Figure | None, ...]


@dataclass(frozen=True)
class Block:
    """A row of the paper's table and our lines under it, at least one; `launch` is the command that fills what is empty."""

    row: Row
    cells: tuple[Cell, ...]
    lines: tuple[Line, ...]
    launch: str


def blocks(table: ComparedTable) -> list[Block]:
    """The table row by row; without any results, one line without figures."""
    made = []
    for row, cells in zip(table.published.rows, table.cells, strict=True):
        lines = [Line(lines.label, tuple(lines.figures.get(cell) for cell in cells)) for lines in table.lines]
        made.append(Block(row, cells, _merged(lines, columns=len(cells)), f"launch {table.published.launch}"))
    return made


def _merged(lines: list[Line], *, columns: int) -> tuple[Line, ...]:
    """One line for all setups that have the same figures: a dense net belongs to every rank."""
    if len(lines) == 1 or any(line.figures != lines[0].figures for line in lines):
        return tuple(lines)
    figures = lines[0].figures if lines else (None,) * columns
    shown = [figure for figure in figures if figure is not None]
    dense = shown and not any(figure.row.tensorized for figure in shown)
    return (Line("dense" if dense else "ours", figures),)


def title(table: ComparedTable) -> str:
    return f"Table {table.published.number}: {table.published.caption}"


def interval(figure: Figure) -> str:
    return f"{figure.low:.1f}-{figure.high:.1f}"


def difference(figure: Figure) -> str:
    return f"{figure.difference:+.1f}"


def mark(figure: Figure) -> str:
    """Whether the interval covers the paper's figure."""
    return "in" if figure.covers else "out"
