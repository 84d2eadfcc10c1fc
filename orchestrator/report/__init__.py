"""Tables for people and machines, made from what the store returns."""

from orchestrator.tables.results_table import Format, render_results
from orchestrator.tables.status_table import plan_json, render_failures, render_plan, render_status, status_json
from orchestrator.tables.verdicts_table import render_verdicts, verdicts_json

__all__ = [
    "Format",
    "plan_json",
    "render_failures",
    "render_plan",
    "render_results",
    "render_status",
    "render_verdicts",
    "status_json",
    "verdicts_json",
]
