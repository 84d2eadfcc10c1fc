"""Output of a pre-flight's findings, for people and for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.text import Text

from orchestrator.doctor.check_result import CheckResult, Status, counts
from orchestrator.escaping import visible

_WORDS: dict[Status, tuple[str, str]] = {"ok": ("ok", "green"), "warning": ("look", "yellow"), "wrong": ("WRONG", "bold red")}
_WIDTH = len("authentication")


def render_result(line: CheckResult) -> Text:
    """Render one check in one line: its status, what was found, and what to do, if anything."""
    word, style = _WORDS[line.status]
    found = Text.assemble((f"{word:<5}", style), f"  {line.what:<{_WIDTH}}  {visible(line.found)}")
    return found.append(f" -> {visible(line.advice)}") if line.status != "ok" and line.advice else found


def render_counts(lines: Sequence[CheckResult]) -> Text:
    """Render the last line."""
    found = counts(lines)
    return Text(f"{found['ok']} ok, {found['warning']} to look at, {found['wrong']} wrong")


def doctor_json(lines: Sequence[CheckResult]) -> str:
    """Return all lines and their counts as JSON."""
    return json.dumps({"lines": [asdict(line) for line in lines], "counts": counts(lines)}, indent=1)
