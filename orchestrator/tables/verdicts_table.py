"""Verdicts for people, one table of checks per model, and for programs."""

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import RenderableType

from orchestrator.escaping import json_text
from orchestrator.store import ModelVerdict
from orchestrator.tables.table import Column, Mark, Row, Table, Tone
from orchestrator.tables.writers import Format, render

_KEY_DIGITS = 8
_TONES: dict[str, Tone] = {"sound": "good", "suspicious": "doubtful", "unsound": "bad"}
_COLUMNS = (
    Column("model_key", only="programs"),
    Column("model", only="programs"),
    Column("verdict", only="programs"),
    Column("check"),
    Column("outcome"),
    Column("reason", heading="what was found", wraps=True),
    Column("p", align="right"),
)
_NONE = "no verdicts yet: no model was attacked or diagnosed"


def render_verdicts(verdicts: Sequence[ModelVerdict], form: Format = "table") -> str | RenderableType:
    """Each model with its verdict, and its checks with what they found."""
    if form == "json":
        return verdicts_json(verdicts)
    if form == "csv":
        return render(Table(columns=_COLUMNS, rows=tuple(row for found in verdicts for row in _rows(found))), form)
    return render([checks_table(found) for found in verdicts] or [Table(columns=(), rows=(), empty=_NONE)], form, title="Verdicts")


def verdict_mark(verdict: str) -> Mark:
    """The verdict in its colour."""
    return Mark(verdict, _TONES[verdict])


def checks_table(found: ModelVerdict) -> Table:
    """The checks of one model under its name and verdict."""
    title = f"{found.description}, model {found.model_key[:_KEY_DIGITS]}:"
    return Table(title=title, mark=verdict_mark(found.verdict), columns=_COLUMNS, rows=_rows(found)).seen_by("people")


def _rows(found: ModelVerdict) -> tuple[Row, ...]:
    model = (found.model_key, found.description, found.verdict)
    chances = [f"{check.numbers['p']:.2g}" if "p" in check.numbers else None for check in found.checks]
    return tuple((*model, check.name, check.outcome, check.reason, p) for check, p in zip(found.checks, chances, strict=True))


def verdicts_json(verdicts: Sequence[ModelVerdict]) -> str:
    """The verdicts with the numbers of every check; shares are in [0, 1], times in ISO 8601."""
    return json_text([asdict(verdict) for verdict in verdicts], indent=1, default=lambda time: time.isoformat())
