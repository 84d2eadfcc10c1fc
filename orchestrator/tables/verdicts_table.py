"""Verdicts for people, one table of checks per model, and for programs."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from rich.console import RenderableType

from orchestrator.naming.names import KEY_DIGITS
from orchestrator.statistics.verdict import reasons
from orchestrator.store import ModelVerdict
from orchestrator.tables.table import Column, Mark, Table, TableRow, Tone
from orchestrator.tables.writers import Format, render
from orchestrator.terminal.escaping import json_text

_MOST_IN_FULL = 20
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


def render_verdicts(verdicts: Sequence[ModelVerdict], form: Format = "table", *, notes: tuple[str, ...] = ()) -> str | RenderableType:
    """Each model with its verdict, and its checks with what they found; of many models the verdicts alone. The `notes` stand below."""
    if form == "json":
        return verdicts_json(verdicts)
    if form == "csv":
        return render(Table(columns=_COLUMNS, rows=tuple(row for found in verdicts for row in _rows(found))), form)
    tables = [*map(checks_table, verdicts)] if len(verdicts) <= _MOST_IN_FULL else [_summary(verdicts)]
    tables = tables or [Table(columns=(), rows=(), empty=_NONE)]
    return render([*tables[:-1], replace(tables[-1], notes=(*tables[-1].notes, *notes))], form, title="Verdicts")


def _summary(verdicts: Sequence[ModelVerdict]) -> Table:
    """A line for each of many models: its verdict, and the gravest reason for it."""
    why = [(reasons(found.checks) or (None,))[0] for found in verdicts]
    return Table(
        columns=(Column("model", wraps=True), Column("verdict"), Column("why", wraps=True), Column("key", "key")),
        rows=tuple(
            (found.description, verdict_mark(found.verdict), reason, found.model_key) for found, reason in zip(verdicts, why, strict=True)
        ),
        notes=("the checks of each model, with their numbers: -f csv or -f json",),
    )


def verdict_mark(verdict: str) -> Mark:
    """The verdict in its colour."""
    return Mark(verdict, _TONES[verdict])


def checks_table(found: ModelVerdict) -> Table:
    """The checks of one model under its name and verdict."""
    title = f"{found.description}, model {found.model_key[:KEY_DIGITS]}:"
    return Table(title=title, mark=verdict_mark(found.verdict), columns=_COLUMNS, rows=_rows(found)).seen_by("people")


def _rows(found: ModelVerdict) -> tuple[TableRow, ...]:
    model = (found.model_key, found.description, found.verdict)
    chances = [f"{check.numbers['p']:.2g}" if "p" in check.numbers else None for check in found.checks]
    return tuple((*model, check.name, check.outcome, check.reason, p) for check, p in zip(found.checks, chances, strict=True))


def verdicts_json(verdicts: Sequence[ModelVerdict]) -> str:
    """The verdicts with the numbers of every check; shares are in [0, 1], times in ISO 8601."""
    return json_text([asdict(verdict) for verdict in verdicts], indent=1, default=lambda time: time.isoformat())
