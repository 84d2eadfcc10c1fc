"""The value that every table is before it is written: columns, rows of typed cells, and what is said above and below them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Literal

from orchestrator.naming.names import KEY_DIGITS

ColumnKind = Literal["text", "number", "tenths", "hundredths", "percent", "key", "group", "label"]
"""Form in which people see cells: numbers to six digits, or to one or two decimals, shares in percent, keys by their first digits. A
`group` heads the lines of a group of rows, a `label` the lines of one row."""

Audience = Literal["people", "programs"]

Tone = Literal["good", "doubtful", "bad"]

ABSENT = "-"
_HYPHEN = "~"
_RIGHT: frozenset[ColumnKind] = frozenset({"number", "tenths", "hundredths", "percent"})


@dataclass(frozen=True)
class Mark:
    """A word in a colour that says how good that is."""

    text: str
    tone: Tone


@dataclass(frozen=True)
class Code:
    """Text to be copied letter by letter."""

    text: str


@dataclass(frozen=True)
class Estimate:
    """A measured figure with its 95 % interval next to a reference, all four rounded as they are printed, to one decimal."""

    value: float
    low: float
    high: float
    reference: float

    @property
    def difference(self) -> float:
        """The figure minus the reference."""
        return round(self.value - self.reference, 1)

    @property
    def covers(self) -> bool:
        """True where the interval covers the reference."""
        return self.low <= self.reference <= self.high

    @property
    def parts(self) -> tuple[str, str, Mark]:
        """The figure, its interval, and the difference with `in` or `out` of the interval."""
        signed = f"{self.difference:+.1f}"
        mark = Mark(f"{signed} in", "good") if self.covers else Mark(f"{signed} out", "bad")
        return f"{self.value:.1f}", f"{self.low:.1f}-{self.high:.1f}", mark

    @property
    def text(self) -> str:
        value, interval, mark = self.parts
        return f"{value} ({interval}), {mark.text}"


@dataclass(frozen=True)
class Measured:
    """A measured figure with the ends of its 95 % interval, where they are known; `is_best` of the best of its kind, and of those that this
    one's interval covers."""

    value: float
    low: float | None
    high: float | None
    is_best: bool = False

    @property
    def reach(self) -> tuple[str, str] | None:
        """The distances from the figure to the ends, `-7.0` and `+7.5`."""
        if self.low is None or self.high is None:
            return None
        return f"-{round(self.value, 1) - round(self.low, 1):.1f}", f"+{round(self.high, 1) - round(self.value, 1):.1f}"

    @property
    def text(self) -> str:
        return f"{self.value:.1f}" + ("" if self.reach is None else f" ({self.low:.1f}-{self.high:.1f})")


Value = str | int | float | bool | None
"""Values from which figures are drawn."""

Cell = Value | bytes | Mark | Code | Estimate | Measured | Mapping[str, Any] | Sequence[Any]
"""The last two are for JSON alone."""

TableRow = tuple[Cell, ...]


@dataclass(frozen=True)
class Column:
    """A column: its `name` for programs, its `heading` for people (where that is another), with a `~` where it may be hyphenated.

    Text that `wraps` may be broken between words where the terminal is narrow; nothing else ever is. `only` names those who see it.
    """

    name: str
    kind: ColumnKind = "text"
    heading: str | None = None
    align: Literal["left", "right"] | None = None
    wraps: bool = False
    only: Audience | None = None

    @property
    def title(self) -> str:
        return (self.name if self.heading is None else self.heading).replace(_HYPHEN, "")

    @property
    def breakable_title(self) -> str:
        """The title over as many lines as it can be broken into."""
        return (self.name if self.heading is None else self.heading).replace(_HYPHEN, "-\n").replace(" ", "\n")

    @property
    def is_right(self) -> bool:
        """True where cells stand to the right, as numbers do."""
        return self.align == "right" if self.align else self.kind in _RIGHT


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as it is, whatever it will be written as; writers escape what they show.

    `lead` stands above, a line each, then `common`, what all rows share; `notes` stand below, and `empty` is said where there are no rows.
    `name` is what others refer to it by, `caption` its title where a document numbers its tables itself.
    `groups` are the numbers of rows that belong together, in order; without them all rows do. `total` is a last row, set off. `narrow` is
    what a terminal shows that this table does not fit. The `mark` ends the title.
    """

    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    name: str = ""
    title: str = ""
    caption: str = ""
    mark: Mark | None = None
    lead: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    empty: str = "nothing found"
    groups: tuple[int, ...] = ()
    total: TableRow | None = None
    narrow: "Table | None" = None

    def seen_by(self, audience: Audience) -> "Table":
        """The table with the columns that are for these readers."""
        places = [place for place, column in enumerate(self.columns) if column.only in (None, audience)]
        if len(places) == len(self.columns):
            return self
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        total = None if self.total is None else tuple(self.total[place] for place in places)
        return replace(self, columns=tuple(self.columns[place] for place in places), rows=rows, total=total)

    def cut(self, limit: int | None) -> "Table":
        """The table with its first rows alone."""
        if limit is None or limit >= len(self.rows):
            return self
        ends = [min(end, limit) for end in accumulate(self.groups)]
        sizes = [end - start for start, end in pairwise([0, *ends])]
        return replace(self, rows=self.rows[:limit], groups=tuple(filter(None, sizes)))

    @property
    def heading(self) -> str:
        return self.title + (f" {self.mark.text}" if self.mark else "")

    @property
    def grouped(self) -> Iterator[tuple[TableRow, ...]]:
        """The rows, group by group."""
        start = 0
        for size in self.groups or ((len(self.rows),) if self.rows else ()):
            yield self.rows[start : start + size]
            start += size

    @property
    def said_above(self) -> list[str]:
        """The lines above the rows: the lead, and what all rows share."""
        return [*self.lead, *([f"All rows: {', '.join(self.common)}."] if self.rows and self.common else [])]

    @property
    def said_below(self) -> list[str]:
        """The line that stands for rows where there are none."""
        return [] if self.rows else [self.empty]


def table_of(names: Sequence[str], rows: Sequence[Sequence[Any]], *, tenths: int = 0, **more: Any) -> Table:
    """A table of any values, the last `tenths` columns to one decimal; columns of numbers alone stand to the right."""
    cells = zip(*rows, strict=True) if rows else [()] * len(names)
    kinds = [_kind(column, tenths=place >= len(names) - tenths) for place, column in enumerate(cells)]
    columns = tuple(Column(name, kind, wraps=kind == "text") for name, kind in zip(names, kinds, strict=True))
    return Table(columns=columns, rows=tuple(map(tuple, rows)), **more)


def _kind(values: Sequence[Any], *, tenths: bool) -> ColumnKind:
    numeric = all(issubclass(kind, int | float | None) and not issubclass(kind, bool) for kind in set(map(type, values)))  # few, of many
    return "tenths" if tenths else "number" if numeric else "text"


def shown_each(cells: Sequence[Cell], kind: ColumnKind = "text") -> list[str]:
    """The cells of a column, all of them hashable, as people read them: few texts, of many rows."""
    known: dict[tuple[type, Cell], str] = {}
    keys = [(type(cell), cell) for cell in cells]
    for key in keys:
        if key not in known:
            known[key] = shown(key[1], kind)
    return [known[key] for key in keys]


def shown(cell: Cell, kind: ColumnKind = "text") -> str:
    """A cell as people read it; it is not escaped."""
    match cell:
        case None:
            text = ABSENT
        case bool():
            text = str(cell).lower()
        case float() | int() if kind in ("tenths", "hundredths"):
            text = f"{cell:.{1 if kind == 'tenths' else 2}f}"
        case float() | int() if kind == "percent":
            text = f"{100 * cell:.1f}"
        case float():
            text = f"{cell:.6g}"
        case str() if kind == "key":
            text = cell[:KEY_DIGITS]
        case Mark() | Code() | Estimate() | Measured():
            text = cell.text
        case bytes():
            text = f"({len(cell)} bytes)"
        case _:
            text = str(cell)
    return text
