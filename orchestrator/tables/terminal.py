"""Tables on a terminal: the one look of all of them. Digits are never cut: what fits no terminal runs over its edge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.table import Table as RichTable
from rich.text import Text

from orchestrator.tables.table import Cell, Code, Column, Estimate, Mark, Table, TableRow, Tone, shown, shown_each
from orchestrator.terminal.escaping import visible

_LONGEST_WHOLE = 12
"""Letters of a word that a narrow terminal does not break."""

_STYLES: dict[Tone, str] = {"good": "green", "doubtful": "yellow", "bad": "red"}


@dataclass(frozen=True)
class TerminalTables:
    """Tables one after the other, each in the widest layout that fits, and the `legend` at the end. Print it with `crop=False`."""

    tables: Sequence[Table]
    legend: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for place, table in enumerate(self.tables):
            if place:
                yield Text("")
            yield from _head(table)
            yield from _body(table, console, options) if table.columns else (*_above(table.said_above), *map(Text, table.said_below))
            if table.notes:
                yield from (Text(""), *(Text(f"- {visible(note)}") for note in table.notes))
        if self.legend:
            yield from (Text(""), Text(self.legend))


def _head(table: Table) -> Iterator[Text]:
    if table.title:
        mark = Text(f" {visible(table.mark.text)}", style=_STYLES[table.mark.tone]) if table.mark else Text("")
        yield Text.assemble(Text(visible(table.title), style="bold"), mark)


def _above(lines: Sequence[str]) -> Iterator[Text]:
    return (Text(visible(line)) for line in (*lines, "")) if lines else iter(())


def _body(table: Table, console: Console, options: ConsoleOptions) -> RenderResult:
    """The widest layout whose least width fits; the narrow one where none does."""
    for layout in (_Layout(table, narrow=False), _Layout(table.narrow or table, narrow=True)):
        plain = _PlainLayout.of(layout)
        drawn = layout.draw() if plain is None else None
        least = layout.gaps + (sum(column.min_width or 1 for column in drawn.columns) if drawn else sum(plain.least if plain else ()))
        if layout.narrow or least <= options.max_width:
            width = max(least, options.max_width)
            yield from _above(replace(layout.table, lead=table.lead).said_above)
            if plain is not None and plain.width <= width:
                yield from plain.draw(console.get_style("table.header"))
            else:
                yield from console.render(drawn or layout.draw(), options.update(width=width))
            return


@dataclass(frozen=True)
class _Layout:
    """A table with whole titles, or as `narrow` as its cells allow."""

    table: Table
    narrow: bool

    @property
    def gap(self) -> int:
        """Number of blanks between columns."""
        return 1 if self.narrow else 2

    @property
    def gaps(self) -> int:
        """Number of blanks between all columns."""
        return self.gap * (len(self.table.columns) - 1)

    def title_lines(self, column: Column) -> list[str]:
        return visible(column.breakable_title if self.narrow else column.title, keep="\n").split("\n")

    def draw(self) -> RichTable:
        columns = self.table.columns
        stacks = [[self._stack(row) for row in group] for group in self.table.grouped]
        total = [] if self.table.total is None else self._stack(self.table.total)
        said = Text("\n".join(map(visible, self.table.said_below)), style="table.caption") if self.table.said_below else None
        drawn = RichTable(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            collapse_padding=True,
            padding=0 if self.narrow else (0, 1),
            caption=said,
            caption_justify="left",
            show_footer=bool(total),
        )
        for place, column in enumerate(columns):
            lines = [*(stack[place].plain for group in stacks for stack in group), *(text.plain for text in total[place : place + 1])]
            self._add_column(drawn, column, lines, footer=total[place] if total else Text(""))
        for group in stacks:
            if columns[0].kind == "group":
                drawn.add_row(*_joined(group))
            elif any(column.wraps for column in columns) or any("\n" in text.plain for stack in group for text in stack):
                for stack in group:
                    drawn.add_row(*stack)
            else:  # the same lines, in a fraction of the time
                drawn.add_row(*map(Text("\n").join, zip(*group, strict=True)))
            if self.table.groups:
                drawn.add_section()
        return drawn

    def _add_column(self, drawn: RichTable, column: Column, cells: Sequence[str], *, footer: Text) -> None:
        title = self.title_lines(column)
        lines = [*title, *(line for cell in cells for line in (_words(cell) if column.wraps else cell.split("\n")))]
        least = max(map(len, lines), default=1)
        drawn.add_column(
            Text("\n".join(title)),
            footer,
            justify="right" if column.is_right else "left",
            overflow="fold",
            min_width=least,
            no_wrap=not column.wraps,
        )

    def _stack(self, row: TableRow) -> list[Text]:
        """The row's cells, each of as many lines as it needs here."""
        estimated = any(isinstance(cell, Estimate) for cell in row)
        return [self._text(cell, column, estimated=estimated) for cell, column in zip(row, self.table.columns, strict=True)]

    def _text(self, cell: Cell, column: Column, *, estimated: bool) -> Text:
        match cell:
            case Estimate():
                value, interval, mark = cell.parts
                difference, word = mark.text.split()
                first = f"{value}\n{interval}" if self.narrow else f"{value} {interval}"
                return Text.assemble(f"{first}\n", (f"{difference} {word:>3}", _STYLES[mark.tone]))
            case Mark():
                return Text(visible(cell.text), style=_STYLES[cell.tone])
            case Code():
                return Text(visible(cell.text.replace(" ", "\n") if self.narrow else cell.text, keep="\n"))
            case str() if estimated and column.kind == "label":
                return Text("\n".join([visible(cell), *(["interval"] if self.narrow else []), "difference"]))
            case _:
                return Text(visible(shown(cell, column.kind)))


@dataclass(frozen=True)
class _PlainLayout:
    """A layout of cells of one line each, without colours and without words to wrap, as texts column by column: drawn as Rich would draw
    it, in a fraction of the time."""

    layout: _Layout
    titles: tuple[tuple[str, ...], ...]
    cells: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, layout: _Layout) -> "_PlainLayout | None":
        """Return the layout of a table of plain cells; None of any other."""
        table = layout.table
        if table.total is not None or not table.rows or any(column.wraps or column.kind == "group" for column in table.columns):
            return None
        if not all(cell is None or isinstance(cell, str | int | float) for row in table.rows for cell in row):
            return None
        cells = tuple(map(_visible_cells, zip(*table.rows, strict=True), table.columns))
        return cls(layout, tuple(tuple(layout.title_lines(column)) for column in table.columns), cells)

    @cached_property
    def least(self) -> list[int]:
        """The greatest number of letters in each column."""
        return [max(map(len, (*title, *texts))) for title, texts in zip(self.titles, self.cells, strict=True)]

    @cached_property
    def widths(self) -> list[int]:
        """The width of each column; some letters take two places."""
        columns = zip(self.least, self.titles, self.cells, strict=True)
        return [max(least, *map(_places, (*title, *texts))) for least, title, texts in columns]

    @property
    def width(self) -> int:
        return sum(self.widths) + self.layout.gaps

    def draw(self, head: Style) -> Iterator[Segment]:
        height = max(map(len, self.titles))
        titles = [[*[""] * (height - len(title)), *title] for title in self.titles]
        yield Segment("".join(f"{line}\n" for line in self._lines(titles)), head)
        rows = [f"{line}\n" for line in self._lines(self.cells)]
        starts = [0, *accumulate(self.layout.table.groups)][:-1] or [0]
        parts = ("".join(rows[start:end]) for start, end in zip(starts, [*starts[1:], None], strict=True))
        yield Segment("\u2500" * self.width + "\n" + f"{' ' * self.width}\n".join(parts))

    def _lines(self, columns: Sequence[Sequence[str]]) -> Iterator[str]:
        described = zip(columns, self.widths, self.layout.table.columns, strict=True)
        padded = [[_set(text, width, right=column.is_right) for text in texts] for texts, width, column in described]
        return map((" " * self.layout.gap).join, zip(*padded, strict=True))


def _visible_cells(cells: Sequence[Cell], column: Column) -> tuple[str, ...]:
    texts = shown_each(cells, column.kind)
    seen = {text: visible(text) for text in set(texts)}
    return tuple([seen[text] for text in texts])


def _places(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _set(text: str, width: int, *, right: bool) -> str:
    """The text with blanks next to it, as wide as its column."""
    text = text.rstrip() if right else text
    blanks = " " * (width - _places(text))
    return blanks + text if right else text + blanks


def _joined(group: Sequence[Sequence[Text]]) -> list[Text]:
    """The rows of a group as one, their cells below each other, so that its heading may take as many lines as all of them."""
    heights = [max(text.plain.count("\n") for text in stack[1:]) for stack in group]
    columns = zip(*(stack[1:] for stack in group), strict=True)
    return [group[0][0], *(Text("\n").join(map(_padded, column, heights)) for column in columns)]


def _padded(text: Text, height: int) -> Text:
    return text.copy().append("\n" * (height - text.plain.count("\n")))


def _words(cell: str) -> list[str]:
    return [word[:_LONGEST_WHOLE] if len(word) > _LONGEST_WHOLE else word for word in cell.split()]
