"""Result rows sorted, cut, grouped and pivoted, as `robustsweep results` is asked to."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from orchestrator.naming.own_settings import hashable, sortable, value_of
from orchestrator.naming.varying_axes import in_words
from orchestrator.store import ResultRow, field_name
from orchestrator.tables.result_columns import ResultColumn, ResultColumns, shown_columns
from orchestrator.tables.table import Cell, Table, table_of
from workers.errors import UserError

_MEASURED = frozenset({"clean %", "robust %", "95% interval", "repeats", "± examples", "± draws", "± seeds"})
_PERCENT = 100
NEVER_MIXED = ("sweep", "dataset", "split", "attack", "knowledge", "norm", "epsilon")
"""Fields of which rows that differ are never averaged, unless that is asked for."""


def ordered(rows: Sequence[ResultRow], by: str) -> list[ResultRow]:
    """Sorted by a field, rows without a value last; `-robust_accuracy` is from the greatest to the least. Equal ones stay as they are.

    Raises:
        UserError: there is no such field.
    """
    field = field_name(by.removeprefix("-"), rows)
    known = [row for row in rows if value_of(row, field) is not None]
    unknown = [row for row in rows if value_of(row, field) is None]
    return sorted(known, key=lambda row: sortable(value_of(row, field)), reverse=by.startswith("-")) + unknown


def grouped(rows: Sequence[ResultRow], by: str, *, across: str = "") -> Table:
    """One row for each combination of the fields `by` (separated by commas): how many result rows it has, their mean clean and robust
    accuracy, and the least robust one, in percent.

    Raises:
        UserError: there is no such field, or a mean would be over rows that are not to be mixed, and `across` does not ask for that.
    """
    names, rows = _fields(by, rows), _written_alike(rows)
    groups: defaultdict[tuple[Hashable, ...], list[ResultRow]] = defaultdict(list)
    for row in rows:
        groups[tuple(_value(row, name) for name in names)].append(row)
    refuse_mixed(((name, [_told_by(row, name) for row in members]) for members in groups.values() for name in apart(names, across)), by)
    made = []
    for values, members in groups.items():
        clean = [row.clean_accuracy for row in members if row.clean_accuracy is not None]
        robust = [row.robust_accuracy for row in members if row.robust_accuracy is not None]
        made.append((*values, len(members), _percent(fmean, clean), _percent(fmean, robust), _percent(min, robust)))
    asked = [name.strip() for name in by.split(",") if name.strip()]
    table = table_of((*_words(asked), "rows", "clean %", "robust %", "least robust %"), made, tenths=3)
    return replace(table, common=tuple(ResultColumns(rows).common()))


def apart(names: Sequence[str], across: str) -> list[str]:
    """The fields of which rows that differ are not averaged, but for those that these names tell apart, and those asked for.

    Raises:
        UserError: what is asked for is none of them.
    """
    asked = [name.strip() for name in across.split(",") if name.strip()]
    for name in asked:
        if name not in NEVER_MIXED:
            raise UserError(f"--across {across}: '{name}' is none of {', '.join(NEVER_MIXED)}")
    return [name for name in NEVER_MIXED if name not in (*asked, *_words(names))]


def refuse_mixed(found: Iterable[tuple[str, Iterable[Any]]], by: str) -> None:
    """Check that in no group of rows a field has several values; None is no value.

    Raises:
        UserError: in some it has.
    """
    mixed: dict[str, set[str]] = {}
    for name, values in found:
        if len(distinct := {str(value) for value in values if value is not None}) > 1:
            mixed.setdefault(name, set()).update(distinct)
    for name, values in mixed.items():
        also = f" (and {', '.join(other for other in mixed if other != name)})" if len(mixed) > 1 else ""
        instead = f"group by it, choose one by --where, or ask for --across {','.join(mixed)}"
        raise UserError(f"'{by}': a mean would mix {name} {', '.join(sorted(values))}{also}; {instead}")


def _told_by(row: ResultRow, name: str) -> Any:
    """Value of such a field in a row; one without attack says nothing of attacks."""
    if row.attack == "none" and name in ("attack", "knowledge", "norm", "epsilon"):
        return None
    return row.epsilon_literal if name == "epsilon" else value_of(row, name)


def pivoted(rows: Sequence[ResultRow], by: str, *, across: str = "") -> Table:
    """Robust accuracy in percent, with a column for each combination of the fields `by` and a row for each combination of what else
    varies under one of those, but for the fields `across` which it is averaged. Rows without attack are left out.

    Raises:
        UserError: there is no such field.
    """
    names = _fields(by, rows)
    apart(names, across)
    averaged = {name.strip() for name in across.split(",")}
    attacked = [row for row in _written_alike(rows) if row.attack != "none"]
    headings = list(dict.fromkeys(_heading(row, names) for row in attacked))
    kept = [column for column in shown_columns(attacked) if column.title not in _MEASURED | averaged and not _is_pivoted(column, names)]
    kept = [column for column in kept if column.title == "theta" or _varies(column, attacked, names)]
    cells: dict[tuple[Cell, ...], defaultdict[str, list[float]]] = {}
    for row in attacked:
        found = cells.setdefault(tuple(column.value(row) for column in kept), defaultdict(list))
        found[_heading(row, names)] += [] if row.robust_accuracy is None else [row.robust_accuracy]
    made = [(*index, *(_percent(fmean, found[heading]) for heading in headings)) for index, found in cells.items()]
    table = table_of([*(column.title for column in kept), *headings], made, tenths=len(headings))
    return replace(table, common=tuple(ResultColumns(attacked).common()))


def _varies(column: ResultColumn, rows: Sequence[ResultRow], names: Sequence[str]) -> bool:
    """Tell whether the column's values differ among rows of one heading: the number of steps, say, may depend on epsilon alone."""
    under: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        under[_heading(row, names)].add(column.text(row))
    return any(len(values) > 1 for values in under.values())


def _words(names: Sequence[str]) -> tuple[str, ...]:
    return tuple("epsilon" if name == "epsilon_literal" else name for name in names)


def _fields(by: str, rows: Sequence[ResultRow]) -> tuple[str, ...]:
    names = tuple(field_name(name.strip(), rows) for name in by.split(",") if name.strip())
    if not names:
        raise UserError(f"'{by}': must name one or more fields, separated by commas")
    return tuple("epsilon_literal" if name == "epsilon" else name for name in names)


def _written_alike(rows: Sequence[ResultRow]) -> list[ResultRow]:
    """Return the rows with one literal for one epsilon: sweeps write it in several ways."""
    first: dict[float, str] = {}
    return [replace(row, epsilon_literal=first.setdefault(row.epsilon, row.epsilon_literal)) for row in rows]


def _value(row: ResultRow, name: str) -> Hashable:
    return hashable(value_of(row, name))


def _heading(row: ResultRow, names: Sequence[str]) -> str:
    """The values in words, with the names of those that are no words themselves: `learning_rate 0.1 pgd 8/255`."""
    values = [(name, value_of(row, name)) for name in names]
    return " ".join(value if isinstance(value, str) else f"{name.rpartition('.')[2]} {in_words(value)}" for name, value in values)


def _is_pivoted(column: ResultColumn, names: Sequence[str]) -> bool:
    return column.title.replace(" ", "_") in _words(names) or (column.title == "rank" and "rank_fraction" in names)


def _percent(summary: Any, values: Sequence[float]) -> float | None:
    return round(_PERCENT * summary(values), 1) if values else None
