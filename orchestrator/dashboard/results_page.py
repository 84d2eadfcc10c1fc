"""Page of results: a table with a filter for each column that has several values, and links to one model."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from orchestrator.dashboard.cached_reads import FORMS, choose_models, read_rows
from orchestrator.dashboard.context import go_to, opened
from orchestrator.dashboard.elements import TILE, choose_sweep, keep
from orchestrator.naming.names import slug
from orchestrator.store import ResultRow
from orchestrator.store.reading.gaps import missing
from orchestrator.tables.result_columns import ResultColumn, ResultColumns
from orchestrator.tables.results_table import render_results
from orchestrator.tables.selection import ordered

_MEASURED = frozenset({"clean %", "robust %", "95% interval", "se examples", "se draws", "se seeds"})
PERCENT = {name: st.column_config.NumberColumn(format="%.1f") for name in ("clean %", "robust %")}
_MOST_OPTIONS = 200
_SORTED_PIXELS = 2 * TILE
_SORTED = {
    "robust %, highest first": "-robust_accuracy",
    "robust %, lowest first": "robust_accuracy",
    "clean %, highest first": "-clean_accuracy",
    "clean %, lowest first": "clean_accuracy",
    "epsilon": "epsilon",
}  # headings sort by a click alone, and epsilons as text


def page() -> None:
    """Show the filters, the table, and the actions on it."""
    sweep = choose_sweep().name
    form = st.segmented_control("Rows", list(FORMS), default=next(iter(FORMS)), key="form") or next(iter(FORMS))
    rows = read_rows(sweep, form=form, models=choose_models(sweep))
    if not rows:
        st.info("No results yet: no evaluation or attack is done.")
        return
    found = ResultColumns(rows)
    columns = found.shown()
    st.text(f"All rows: {', '.join(found.common())}.")
    chosen = _filtered(rows, columns)
    st.caption(f"{len(chosen)} of {len(rows)} rows. Select a row (in the table: Shift+Space) to look closer.")
    selected = _table(chosen, columns, key=f"results of {sweep} {form}")
    _actions(sweep, chosen, selected)
    with opened() as store:
        for gap in missing(store, sweep):
            st.text(gap)


def _filtered(rows: Sequence[ResultRow], columns: Sequence[ResultColumn]) -> list[ResultRow]:
    words = st.text_input("Search", key="search", placeholder="such as bim 0.9").lower().split()
    kept = [row for row in rows if all(any(word in column.text(row).lower() for column in columns) for word in words)]
    with st.container(horizontal=True):
        for column in columns:
            values = list(dict.fromkeys(column.text(row) for row in rows))
            if column.title not in _MEASURED and 1 < len(values) <= _MOST_OPTIONS:
                wanted = st.multiselect(column.title, values, key=f"filter {column.title}", width=TILE, placeholder="all")
                kept = [row for row in kept if not wanted or column.text(row) in wanted]
        by = st.selectbox("Sorted by", list(_SORTED), index=None, key="sorted", width=_SORTED_PIXELS, placeholder="the sweep's order")
    return ordered(kept, _SORTED[by]) if by else kept


def _table(rows: Sequence[ResultRow], columns: Sequence[ResultColumn], *, key: str) -> ResultRow | None:
    """Show the rows, and return the selected one, if any."""
    found = results_frame(rows, columns)
    state = st.dataframe(
        found, hide_index=True, column_config=PERCENT, placeholder="-", on_select="rerun", selection_mode="single-row", key=key
    )
    place = next(iter(state.selection.rows), None)
    return rows[place] if place is not None and place < len(rows) else None


def results_frame(rows: Sequence[ResultRow], columns: Sequence[ResultColumn]) -> pd.DataFrame:
    """Return the rows as shown; columns of numbers are numbers, so that they sort as such."""
    return pd.DataFrame({column.title: _cells(column, rows) for column in columns})


def _cells(column: ResultColumn, rows: Sequence[ResultRow]) -> list[Any]:
    values = [column.value(row) for row in rows]
    is_number = column.column.is_right and all(isinstance(value, int | float | None) for value in values)
    return values if is_number else [column.text(row) for row in rows]


def _actions(sweep: str, rows: Sequence[ResultRow], selected: ResultRow | None) -> None:
    with st.container(horizontal=True):
        text = render_results(rows, "csv") if rows else ""
        name = f"{slug(sweep)}-results.csv"
        st.download_button("Download these rows as CSV", str(text), name, "text/csv", on_click="ignore", disabled=not rows)
        model = st.button("Open the model", disabled=selected is None)
        example = st.button("Open its examples", disabled=selected is None)
    if selected is not None and (model or example):
        keep("model", selected.model_key)
        go_to("Models" if model else "Examples")
