"""Output of a pre-flight's findings, for people and for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import RenderableType
from rich.text import Text

from orchestrator.doctor.check_result import CheckResult, Status, counts
from orchestrator.escaping import visible
from orchestrator.tables.table import Column, Mark, Table, Tone
from orchestrator.tables.writers import Format, render

_WORDS: dict[Status, tuple[str, Tone, str]] = {
    "ok": ("ok", "good", "green"),
    "warning": ("look", "doubtful", "yellow"),
    "wrong": ("WRONG", "bad", "bold red"),
}
_WIDTH = len("authentication")


def render_result(line: CheckResult) -> Text:
    """Render one check in one line: its status, what was found, and what to do, if anything."""
    word, _, style = _WORDS[line.status]
    found = Text.assemble((f"{word:<5}", style), f"  {line.what:<{_WIDTH}}  {visible(line.found)}")
    return found.append(f" -> {visible(line.advice)}") if line.status != "ok" and line.advice else found


def render_counts(lines: Sequence[CheckResult]) -> Text:
    """Render the last line."""
    found = counts(lines)
    return Text(f"{found['ok']} ok, {found['warning']} to look at, {found['wrong']} wrong")


def render_results(lines: Sequence[CheckResult], form: Format) -> str | RenderableType:
    """Render all lines for documents or programs; as JSON with their counts."""
    if form == "json":
        return json.dumps({"lines": [asdict(line) for line in lines], "counts": counts(lines)}, indent=1)
    columns = (Column("status"), Column("what"), Column("found", wraps=True), Column("advice", wraps=True))
    rows = tuple((line.status if form == "csv" else Mark(*_WORDS[line.status][:2]), line.what, line.found, line.advice) for line in lines)
    return render(Table(columns=columns, rows=rows, title="Pre-flight"), form)
