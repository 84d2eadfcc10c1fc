"""A text in a notebook is that of a terminal: in the file that it is written to, nowhere else."""

import pytest
from rich import console
from rich.table import Table

from orchestrator.terminal.console import preformatted, printed


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_is_jupyter", lambda: True)


@pytest.mark.usefixtures("notebook")
def test_a_table_is_returned_and_not_shown_by_itself() -> None:
    table = Table("a <heading>")
    table.add_row("a cell")
    shown = printed(table)
    assert "a cell" in shown
    assert "a &lt;heading&gt;" in preformatted(shown)
