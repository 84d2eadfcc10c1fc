"""Rendering of a plan's estimated duration, as text and as a record."""

from typing import Any

from rich.console import RenderableType
from rich.text import Text

from orchestrator.console import clock
from orchestrator.scheduling.estimate import TimeEstimate


def render_estimate(found: TimeEstimate, *, price: float | None) -> RenderableType:
    """Return the estimate as text; `price` is that of one worker for an hour."""
    if found.device is None:
        return Text("\nestimate: none, since the database holds no finished job; a small sweep of the same networks gives the rates")
    workers = "1 worker" if found.workers == 1 else f"{found.workers} workers"
    lines = [
        f"\nestimate: {clock(found.wall)} with {workers}, {clock(found.work)} of work, by {found.timed:,} jobs timed on {found.device}"
    ]
    if found.by_stage:
        lines.append("  " + ", ".join(f"{stage} {clock(seconds)}" for stage, seconds in found.by_stage.items()))
    if price is not None:
        lines.append(f"  cost: {cost_of(found, price=price):,.2f} at {price:g} an hour for each worker, paid to the end of the last job")
    if found.unknown:
        named = ", ".join(f"{number} {stage}" for stage, number in found.unknown.items())
        lines.append(f"  not counted, since no finished job is like them: {named}")
    return Text("\n".join(lines))


def cost_of(found: TimeEstimate, *, price: float) -> float:
    """Return the cost of the workers until the last job is done, `price` an hour each."""
    return found.wall * found.workers * price / 3600


def estimate_record(found: TimeEstimate, *, price: float | None) -> dict[str, Any]:
    """Return the estimate for programs, in seconds."""
    record: dict[str, Any] = {
        "wall_seconds": found.wall,
        "work_seconds": found.work,
        "workers": found.workers,
        "by_stage": dict(found.by_stage),
        "not_counted": dict(found.unknown),
        "timed_jobs": found.timed,
        "device": found.device,
    }
    return record if price is None else {**record, "cost": cost_of(found, price=price)}
