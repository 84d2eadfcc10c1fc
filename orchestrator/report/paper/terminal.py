"""The comparison on a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from orchestrator.escaping import visible
from orchestrator.report.paper.beside_published import ComparedTable, Figure
from orchestrator.report.paper.cells import Block, Line, blocks, difference, interval, mark, title
from orchestrator.report.paper.notes import LEGEND, notes
from orchestrator.tables.terminal_table import plain_table

_ENDLESS = 10_000
_LABEL_WIDTH = 16


@dataclass(frozen=True)
class PaperReport:
    """The tables with their notes, each in the widest layout that fits the terminal. Print it with `crop=False`: digits are never cut."""

    tables: Sequence[ComparedTable]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in self.tables:
            yield Text(title(table), style="bold")
            yield Text("")
            yield _fitting(table, console, options)
            yield Text("")
            for note in notes(table):
                yield Text(f"- {visible(note)}")
            yield Text("")
        yield Text(LEGEND)


def _fitting(table: ComparedTable, console: Console, options: ConsoleOptions) -> Table:
    wide = _table(table, narrow=False)
    width = Measurement.get(console, options.update(width=_ENDLESS), wide).maximum
    return wide if width <= options.max_width else _table(table, narrow=True)


def _table(table: ComparedTable, *, narrow: bool) -> Table:
    drawn = plain_table(padding=0 if narrow else (0, 1))
    drawn.add_column("", max_width=_LABEL_WIDTH)
    drawn.add_column("", no_wrap=True)
    for column in table.published.columns:
        drawn.add_column(Text(column.label.replace(" ", "\n") if narrow else column.label), justify="right", no_wrap=True)
    for block in blocks(table):
        drawn.add_row(*_stacks(block, narrow=narrow))
        drawn.add_section()
    return drawn


def _stacks(block: Block, *, narrow: bool) -> list[Text]:
    """The row's cells, each of as many lines as the others."""
    kinds, columns = ["paper"], [[f"{cell.published:.1f}"] for cell in block.cells]
    for line in block.lines:
        kinds += _kinds(line, narrow=narrow)
        for column, figure in zip(columns, line.figures, strict=True):
            column.extend(_shown(figure, narrow=narrow) if figure else _absent(line, block.launch, narrow=narrow))
    return [Text(block.row.title), Text("\n".join(kinds)), *(Text("\n".join(column)) for column in columns)]


def _kinds(line: Line, *, narrow: bool) -> list[str]:
    if not any(line.figures):
        return [visible(line.label), ""] if narrow else [visible(line.label)]
    return [visible(line.label), *(["interval"] if narrow else []), "difference"]


def _shown(figure: Figure, *, narrow: bool) -> list[str]:
    ours = [f"{figure.accuracy:.1f}", interval(figure)]
    return [*(ours if narrow else [" ".join(ours)]), f"{difference(figure)} {mark(figure):>3}"]


def _absent(line: Line, launch: str, *, narrow: bool) -> list[str]:
    height = len(_kinds(line, narrow=narrow))
    lines = launch.split() if narrow else [launch]
    return lines + [""] * (height - len(lines))
