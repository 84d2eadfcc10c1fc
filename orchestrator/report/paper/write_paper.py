"""Implementation of `robustsweep report --paper`."""

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.paths import replace_file
from orchestrator.report.paper.paper_tables import render_paper
from orchestrator.report.paper.published_comparison import ComparedTable, compare
from orchestrator.store import open_store, result_rows
from orchestrator.tables.writers import Format
from orchestrator.terminal.console import Terminal
from workers.errors import UserError

_FILE_WIDTH = 100
_ENDINGS: dict[str, Format] = {
    ".html": "html",
    ".htm": "html",
    ".csv": "csv",
    ".json": "json",
    ".md": "markdown",
    ".tex": "latex",
    ".txt": "table",
}


def report_paper(
    store_url: str, sweeps: Sequence[str], *, tables: str | None, form: Format | None, output: Path | None, console: Console
) -> None:
    """Compare and write, to `output` or to the console.

    Args:
        store_url: where the results are.
        sweeps: names; if there are any, all models of these sweeps are shown, else those nearest to the paper's of all sweeps.
        tables: numbers with commas between them; None: all.
        form: None: by the ending of `output`, else a table.
        output: a file, replaced only once the report is whole.
        console: where a table goes.

    Raises:
        UserError: no such store, sweep or table, or a file that cannot be written.
    """
    numbers = None if tables is None else _numbers(tables)
    form = form or _form_of(output)
    with open_store(store_url, upgrade=False) as store:
        rows = [row for sweep in _asked(sweeps) for row in result_rows(store, sweep, per_repeat=False)]
    compared = compare(rows, numbers=numbers, every_setup=bool(sweeps))
    if output is not None:
        _write_file(output, compared, form)
    else:
        _write(console, compared, form)


def _asked(sweeps: Sequence[str]) -> Sequence[str | None]:
    """Sweeps to ask the store for; None is all of them."""
    return sweeps or [None]


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and part.isascii() for part in parts):
        raise UserError(f"--table '{text}': numbers of tables with commas between them, e.g. 1,3")
    return [int(part) for part in parts]


def _form_of(output: Path | None) -> Format:
    if output is None:
        return "table"
    if output.suffix.lower() not in _ENDINGS:
        raise UserError(f"--output '{output}': ends in none of {', '.join(_ENDINGS)}; say the format with -f")
    return _ENDINGS[output.suffix.lower()]


def _write_file(path: Path, compared: list[ComparedTable], form: Format) -> None:
    """Write the report next to its place, then move it there: a report is whole or the old one."""
    text = io.StringIO()
    _write(Terminal(file=text, width=_FILE_WIDTH, no_color=True, force_terminal=False), compared, form)
    try:
        replace_file(path, text.getvalue().encode())
    except OSError as error:
        raise UserError(f"--output '{path}': {error.strerror}") from None


def _write(console: Console, compared: list[ComparedTable], form: Format) -> None:
    rendered = render_paper(compared, form)
    if isinstance(rendered, str):
        console.file.write(f"{rendered}\n")
    else:
        console.print(rendered, crop=False)
