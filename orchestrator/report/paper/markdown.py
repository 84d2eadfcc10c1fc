"""The comparison in Markdown."""

from collections.abc import Sequence

from orchestrator.escaping import markdown
from orchestrator.report.paper.beside_published import ComparedTable, Figure
from orchestrator.report.paper.cells import Block, blocks, difference, interval, mark, title
from orchestrator.report.paper.notes import LEGEND, notes


def paper_markdown(tables: Sequence[ComparedTable]) -> str:
    """A document: a heading, a table and a list of notes for each of the paper's tables."""
    return "\n\n".join(["# The paper's tables", LEGEND, *(_section(table) for table in tables)])


def _section(table: ComparedTable) -> str:
    labels = [markdown(column.label) for column in table.published.columns]
    lines = ["| | | " + " | ".join(labels) + " |", "|---|---|" + "---:|" * len(labels)]
    lines += [line for block in blocks(table) for line in _lines(block)]
    listed = [f"- {markdown(note)}" for note in notes(table)]
    return "\n".join([f"## {markdown(title(table))}", "", *lines, "", *listed])


def _lines(block: Block) -> list[str]:
    published = [f"{cell.published:.1f}" for cell in block.cells]
    lines = [[markdown(block.row.title), "paper", *published]]
    for line in block.lines:
        shown = [_shown(figure) if figure else f"`{block.launch}`" for figure in line.figures]
        lines.append(["", markdown(line.label), *shown])
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _shown(figure: Figure) -> str:
    return f"{figure.accuracy:.1f} ({interval(figure)}), {difference(figure)} {mark(figure)}"
