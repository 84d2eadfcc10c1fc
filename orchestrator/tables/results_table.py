"""The results table: for people the columns worth their room, for programs every field."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

from rich.console import RenderableType

from orchestrator.naming.own_settings import hashable, own_names, value_of
from orchestrator.naming.varying_axes import column_names
from orchestrator.store import ResultRow
from orchestrator.tables.footnotes import footnotes
from orchestrator.tables.result_columns import ExtraColumns, ResultColumns
from orchestrator.tables.table import Column, Measured, Table
from orchestrator.tables.writers import Format, render

_INTERNAL = frozenset({"stage"})


def render_results(
    rows: Sequence[ResultRow],
    form: Format,
    *,
    limit: int | None = None,
    extra: Sequence[ExtraColumns] = (),
    notes: tuple[str, ...] = (),
) -> str | RenderableType:
    """The rows in the asked format: text, or a rich table for the terminal; tables for people have the `extra` columns, and the `notes`
    below. At most `limit` of the rows are shown, with the columns that tell all of them apart."""
    if form in ("csv", "json"):
        return render(results_data(rows, flat=form == "csv", limit=limit), form)
    if form == "latex":
        made = publication_table(rows, extra=extra).cut(limit)
        return render(replace(made, notes=(*made.notes, *notes)), form)
    whole = results_table(rows, extra=extra)
    table = replace(whole.cut(limit), narrow=whole.narrow and whole.narrow.cut(limit))
    return render(replace(table, notes=(*notes, *footnotes(table))), form)


def results_table(rows: Sequence[ResultRow], *, extra: Sequence[ExtraColumns] = (), columns: ResultColumns | None = None) -> Table:
    """The rows for people, those of one model together, with accuracies in percent; their `columns` where they are known."""
    found = ResultColumns(rows) if columns is None else columns
    groups = tuple(len(list(of_model)) for _, of_model in groupby(rows, key=lambda row: row.model_key))
    table = _layout(found, groups, narrow=False, extra=extra)
    return replace(table, narrow=_layout(found, groups, narrow=True, extra=extra))


def publication_table(rows: Sequence[ResultRow], *, extra: Sequence[ExtraColumns] = ()) -> Table:
    """The rows as a paper has them: each robust accuracy with its interval, the best under each attack marked."""
    table = results_table(rows, extra=extra)
    titles = [column.name for column in table.columns]
    kept = [place for place, title in enumerate(titles) if title != "95% interval"]
    robust, best = titles.index("robust %"), _best(rows)
    measured = [_measured(row, is_best=place in best) for place, row in enumerate(rows)]
    cells = [(*row[:robust], figure, *row[robust + 1 :]) for row, figure in zip(table.rows, measured, strict=True)]
    return replace(
        table,
        columns=tuple(table.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in cells),
        notes=("Robust accuracies have the ends of their 95 % intervals", *([_BOLD] if best else [])),
        narrow=None,
    )


_BOLD = "Bold: the best under each attack of the models whose verdict is not unsound, and what its interval covers"


def _measured(row: ResultRow, *, is_best: bool) -> Measured | None:
    if row.robust_accuracy is None:
        return None
    low, high = (None if end is None else 100 * end for end in (row.ci_low, row.ci_high))
    return Measured(100 * row.robust_accuracy, low, high, is_best)


def _best(rows: Sequence[ResultRow]) -> set[int]:
    """The places of the most robust model under each attack that several met, and of those within its interval."""
    met: defaultdict[Hashable, dict[int, ResultRow]] = defaultdict(dict)
    for place, row in enumerate(rows):
        if row.robust_accuracy is not None:
            met[_attack_of(row)][place] = row
    found: set[int] = set()
    for of_attack in met.values():
        believed = {place: row for place, row in of_attack.items() if row.verdict != "unsound"}
        if len({row.model_key for row in of_attack.values()}) > 1 and believed:
            best = max(believed.values(), key=lambda row: row.robust_accuracy or 0.0)
            low = best.robust_accuracy if best.ci_low is None else best.ci_low
            found |= {place for place, row in believed.items() if (row.robust_accuracy or 0.0) >= (low or 0.0)}
    return found


def _attack_of(row: ResultRow) -> Hashable:
    named = (row.dataset, row.split, row.n_examples, row.repeat, row.attack, row.knowledge, row.norm, row.target, row.epsilon, row.restarts)
    return (*named, hashable(row.attack_settings))


def _layout(found: ResultColumns, groups: tuple[int, ...], *, narrow: bool, extra: Sequence[ExtraColumns]) -> Table:
    columns = found.shown(narrow=narrow, extra=extra)
    return Table(
        columns=tuple(column.column for column in columns),
        rows=tuple(zip(*map(found.cells, columns), strict=True)),
        groups=groups,
        common=tuple(found.common(narrow=narrow)),
        caption="Results",
        empty="no results yet",
    )


def results_data(rows: Sequence[ResultRow], *, flat: bool, limit: int | None = None) -> Table:
    """Every field of the rows (at most `limit`), the own settings of components and the metrics by their names, accuracies as shares in
    [0, 1]; a `flat` table has no lists and mappings in its cells, but text, and a column for every setting of models that differs."""
    fields = [name for name in ResultRow.__dataclass_fields__ if name not in _INTERNAL]
    names = list(dict.fromkeys([*fields, *(column_names(rows) if flat else own_names(rows))]))
    records = [_flattened(row, names) if flat else record(row, names) for row in rows[:limit]]
    return Table(columns=tuple(map(Column, names)), rows=tuple(tuple(found[name] for name in names) for found in records))


def record(row: ResultRow, names: Sequence[str]) -> dict[str, Any]:
    """The fields and settings of a row by name."""
    fields = asdict(row)
    return {name: fields[name] if name in fields else value_of(row, name) for name in names}


def _flattened(row: ResultRow, names: Sequence[str]) -> dict[str, Any]:
    found = {name: _joined(value) if isinstance(value, Mapping) else value for name, value in record(row, names).items()}
    return found | {
        "rank": _joined({layer: "x".join(map(str, rank)) for layer, rank in (row.rank or {}).items()}),
        "job_keys": " ".join(row.job_keys),
        "reasons": "; ".join(row.reasons),
    }


def _joined(values: Mapping[str, Any]) -> str:
    """Settings as `name=value;...`."""
    return ";".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in values.items())
