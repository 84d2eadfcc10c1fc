"""Verdicts for people, one block per model, and for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.escaping import visible
from orchestrator.store import ModelVerdict
from orchestrator.tables.terminal_table import plain_table

_KEY_DIGITS = 8
_STYLES = {"sound": "green", "suspicious": "yellow", "unsound": "red"}


def render_verdicts(verdicts: Sequence[ModelVerdict]) -> RenderableType:
    """Each model with its verdict, and its checks with what they found."""
    if not verdicts:
        return Text("no verdicts yet: no model was attacked or diagnosed")
    return Group(*(part for verdict in verdicts for part in (_heading(verdict), _checks(verdict), Text(""))))


def _heading(verdict: ModelVerdict) -> Text:
    model = visible(f"{verdict.description}, model {verdict.model_key[:_KEY_DIGITS]}: ")
    return Text.assemble(Text(model, style="bold"), Text(verdict.verdict, style=_STYLES[verdict.verdict]))


def _checks(verdict: ModelVerdict) -> RenderableType:
    table = plain_table()
    for title in ("check", "outcome"):
        table.add_column(title, no_wrap=True)
    table.add_column("what was found", overflow="fold")
    table.add_column("p", justify="right", no_wrap=True)
    for check in verdict.checks:
        chance = f"{check.numbers['p']:.2g}" if "p" in check.numbers else "-"
        table.add_row(check.name, check.outcome, Text(visible(check.reason)), chance)
    return table


def verdicts_json(verdicts: Sequence[ModelVerdict]) -> str:
    """The verdicts with the numbers of every check; shares are in [0, 1], times in ISO 8601."""
    return json.dumps([asdict(verdict) for verdict in verdicts], indent=1, default=lambda time: time.isoformat())
