"""As much of an answer in SQL as people read; programs read all of it."""

from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.tables.table import Table, table_of

_MOST_ROWS, _FIRST_ROWS = 10_000, 500
_MOST_CHARACTERS, _OF_A_CELL = 2_000_000, 10_000


def first_of_answer(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Table:
    """Return the table of an answer; of one of more than 10,000 rows or 2 million characters that of the first rows, and of a longer cell
    the first 10,000 characters."""
    found = list(_first(rows[: _FIRST_ROWS if len(rows) > _MOST_ROWS else None]))
    notes = [] if len(found) == len(rows) else [f"the first {len(found):,} of {len(rows):,} rows; -f csv or -f json has all"]
    return table_of(names, found, notes=tuple(notes))


def _first(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    taken = 0
    for row in rows:
        brief = tuple(map(_brief, row))
        yield brief
        taken += sum(len(cell) for cell in brief if isinstance(cell, str))
        if taken > _MOST_CHARACTERS:
            return


def _brief(cell: Any) -> Any:
    """Return a cell, or the beginning of its text and how long that is."""
    if not isinstance(cell, str | list | tuple | dict) or len(text := str(cell)) <= _OF_A_CELL:
        return cell
    return f"{text[:_OF_A_CELL]}... ({len(text):,} characters; -f csv or -f json has all)"
