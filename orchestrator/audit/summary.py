"""An audit for people, one table of its attacks, the verdict with its checks, what it cost, what it would try next; and for programs."""

from typing import Any

import yaml
from rich.console import RenderableType

from orchestrator.audit.audit import AuditOutcome
from orchestrator.statistics.verdict import SOUND_EXAMPLES
from orchestrator.store import ResultRow
from orchestrator.tables.results_table import results_table
from orchestrator.tables.verdicts_table import checks_table
from orchestrator.tables.writers import render
from orchestrator.terminal.console import clock
from orchestrator.terminal.escaping import json_text
from workers.errors import UserError


def render_audit(found: AuditOutcome) -> str | RenderableType:
    """The tables of an audit for a terminal: its attacks, and the checks of the verdict."""
    verdict = [] if found.verdict is None else [checks_table(found.verdict)]
    return render([results_table(found.rows), *verdict], "table")


def audit_lines(found: AuditOutcome) -> list[str]:
    """The audit in a few lines: the answer, its cost, what comes next, and the attack to use again."""
    noted = [] if found.verdict is None else [check.reason for check in found.verdict.checks if check.outcome == "noted"]
    lines = ["; ".join([f"verdict: {_NONE if found.verdict is None else found.verdict.verdict}", _answer(found), *noted])]
    lines.append(f"cost: {clock(found.seconds)} in {found.jobs} jobs; tried: {', '.join(found.tried)}")
    if found.following is not None:
        lines.append(f"next it would try: {found.following}; the same command goes on (with a larger --budget, if it has one)")
    elif found.needs_examples:
        lines.append(f"nothing is left to try: no attack makes a verdict sound on fewer than {SOUND_EXAMPLES} examples; audit more of them")
    elif found.verdict is None or found.verdict.verdict == "suspicious":
        lines.append("nothing is left to try: the checks above say what is in doubt")
    if found.claimed is not None and found.worst is not None and found.claimed > (found.worst.robust_accuracy or 0.0) + _ROUNDING:
        lines.append(f"the bundle claims {100 * found.claimed:.1f} %: attacks of the diagnosis, which keep no examples, are not in it")
    if (best := found.strongest) is not None:
        lines.append(f"strongest attack, for a space of your own: {setting_of(best)}")
    return lines


_NONE = "none yet"
_ROUNDING = 1e-6


def _answer(found: AuditOutcome) -> str:
    """Number of examples that stay right under all attacks, in words."""
    row = found.worst or found.strongest
    if row is None or row.robust_accuracy is None:
        return "no attack is done yet"
    between = "" if row.ci_low is None or row.ci_high is None else f" (95 % interval {100 * row.ci_low:.1f}-{100 * row.ci_high:.1f})"
    of = "the most harmful attack on each" if row is found.worst else row.attack
    clean = "" if row.clean_accuracy is None else f"{100 * row.clean_accuracy:.1f} % are right, "
    return f"of {row.n_examples} examples {clean}{100 * row.robust_accuracy:.1f} %{between} under {of}"


def setting_of(row: ResultRow) -> str:
    """The attack of a result as an item of a space's `attacks`, on one line."""
    own = {name: value for name, value in row.attack_settings.items() if value is not None and name != "after"}
    values: dict[str, Any] = {"attack": row.attack, "norm": row.norm, "epsilon": row.epsilon_literal, "knowledge": row.knowledge, **own}
    values |= {name: getattr(row, name) for name, usual in (("restarts", 1), ("target", "none")) if getattr(row, name) != usual}
    values |= {"eot_samples": row.eot_samples} if row.knowledge == "eot" else {}
    return f"- {yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=10_000).strip()}"


def audit_json(found: AuditOutcome) -> str:
    """The audit for programs; accuracies are shares in [0, 1]."""
    worst, verdict = found.worst, found.verdict
    record = {
        "sweep": found.name,
        "verdict": None if verdict is None else verdict.verdict,
        "checks": [] if verdict is None else [{"name": one.name, "outcome": one.outcome, "reason": one.reason} for one in verdict.checks],
        "worst_case": None if worst is None else {"accuracy": worst.robust_accuracy, "ci_low": worst.ci_low, "ci_high": worst.ci_high},
        "attacks": [_record(row) for row in found.rows if row.attack != "worst_case"],
        "strongest": None if found.strongest is None else setting_of(found.strongest),
        "seconds": found.seconds,
        "jobs": found.jobs,
        "tried": list(found.tried),
        "next": found.following,
    }
    return json_text(record, indent=1)


def _record(row: ResultRow) -> dict[str, Any]:
    names = ("attack", "knowledge", "norm", "n_examples", "draws", "clean_accuracy", "robust_accuracy", "ci_low", "ci_high")
    return {**{name: getattr(row, name) for name in names}, "epsilon": row.epsilon_literal, "settings": row.attack_settings}


def require_outcome(found: AuditOutcome) -> None:
    """Check that the audit measured anything.

    Raises:
        UserError: nothing is measured; the launch has said why.
    """
    if not found.rows:
        raise UserError(f"audit {found.name}: nothing was measured")
