"""How fast a sweep gets on, and when it will be done: from what the store says of jobs that finished."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.store import SweepStatus
from orchestrator.store.reading.dashboard_queries import FinishedJob, RunningJob
from workers.spec.fields import Stage

WINDOW = timedelta(minutes=10)
_LIKE: dict[Stage, tuple[Stage, ...]] = {
    "pretrain": ("fine_tune",),
    "fine_tune": ("pretrain",),
    "defend": ("evaluate",),
    "evaluate": ("attack",),
    "craft": ("attack",),
    "attack": ("craft",),
    "diagnose": ("attack",),
}
"""Stages whose jobs take about as long, for a stage of which none is done."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """`seconds` to the end (None: unknown) with as many workers as are busy now; the stages that there is nothing to go by for."""

    seconds: float | None
    unknown: tuple[Stage, ...] = ()


def time_left(status: SweepStatus, running: Collection[RunningJob], seconds: Mapping[Stage, float], *, now: datetime) -> Left:
    """How long the jobs that can still be done will take, from the mean `seconds` of a job of each stage.

    What running jobs have done already is taken off. Blocked jobs are not waited for.
    """
    work, unknown = 0.0, []
    for stage, counts in status.stages.items():
        under_way = [job for job in running if job.stage == stage]
        if not counts.waiting and not under_way:
            continue
        mean = next((seconds[like] for like in (stage, *_LIKE.get(stage, ())) if like in seconds), None)
        if mean is None:
            unknown.append(stage)
            continue
        work += mean * counts.waiting + sum(max(0.0, mean - (now - job.started_at).total_seconds()) for job in under_way)
    if unknown or not running:
        return Left(seconds=None, unknown=tuple(unknown))
    return Left(seconds=work / len(running))


def per_minute(finished: Collection[FinishedJob], *, since: datetime, until: datetime) -> float:
    """How many jobs finished in a minute, on average."""
    minutes = (until - since).total_seconds() / 60
    return sum(since <= job.finished_at <= until for job in finished) / minutes if minutes > 0 else 0.0


def busy_workers(finished: Collection[FinishedJob], *, since: datetime, until: datetime) -> float:
    """How many workers these jobs kept busy, on average."""
    whole = (until - since).total_seconds()
    inside = sum(max(0.0, (min(job.finished_at, until) - max(job.started_at, since)).total_seconds()) for job in finished)
    return inside / whole if whole > 0 else 0.0
