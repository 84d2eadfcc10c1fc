"""Plain tables are drawn without Rich's wrapping, to the same letters."""

import io
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.tables.table import Column, ColumnKind, Mark, Table
from orchestrator.tables.terminal import TerminalTables, _PlainLayout
from orchestrator.terminal.console import Terminal

WORDS = [
    "a",
    "[red]x[/red] :smile:",
    "אבג",
    "\u202eevil",
    "漢字かな",
    "e\u0301\u200b",
    "👩‍👩‍👧",
    "\x1b[31m",
    "a\tb",
    " lead",
    "end  ",
    "",
    "a\nb",
    "a\u2028b",
]
CELLS = st.one_of(st.none(), st.booleans(), st.integers(-9, 10**12), st.floats(), st.sampled_from(WORDS))
COLUMNS = st.builds(
    Column,
    st.sampled_from(["a", "alpha beta", "adver~sarial", "漢字 x", "x\ny", ""]),
    st.sampled_from([kind for kind in get_args(ColumnKind) if kind not in ("group", "label")]),
    align=st.sampled_from([None, "left", "right"]),
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = tuple(draw(st.lists(COLUMNS, min_size=1, max_size=4)))
    groups = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    rows = tuple(tuple(draw(CELLS) for _ in columns) for _ in range(sum(groups)))
    return Table(columns=columns, rows=rows, groups=draw(st.sampled_from([(), tuple(groups)])), common=("a 1",))


def printed(table: Table, width: int) -> str:
    text = io.StringIO()
    Terminal(text, width=width).print(TerminalTables([table]), crop=False)
    return text.getvalue()


@settings(max_examples=60)
@given(tables(), st.sampled_from([3, 20, 40, 80, 300]))
def test_a_plain_table_is_drawn_as_rich_draws_it(table: Table, width: int) -> None:
    drawn = printed(table, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_PlainLayout, "of", lambda _: None)
        assert drawn == printed(table, width)


def test_colours_words_to_wrap_and_totals_are_left_to_rich() -> None:
    plain = Table(columns=(Column("a"),), rows=(("b",),))
    assert is_plain(plain)
    assert not is_plain(Table(columns=(Column("a"),), rows=((Mark("b", "good"),),)))
    assert not is_plain(Table(columns=(Column("a", wraps=True),), rows=(("b",),)))
    assert not is_plain(Table(columns=(Column("a"),), rows=(("b",),), total=("c",)))


def is_plain(table: Table) -> bool:
    found: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        whole = _PlainLayout.draw
        patch.setattr(_PlainLayout, "draw", lambda layout, head: found.append(layout) or whole(layout, head))
        printed(table, 80)
    return bool(found)
