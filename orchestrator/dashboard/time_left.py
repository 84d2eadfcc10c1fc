"""Pace of a sweep and time to its end, from the finished jobs in the store."""

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
"""Stages whose jobs take about as long, for a stage without a finished job."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """Time to the end: `seconds` with as many workers as are busy now (None: not known); `unknown` are stages without a finished job."""

    seconds: float | None
    unknown: tuple[Stage, ...] = ()


def time_left(status: SweepStatus, running: Collection[RunningJob], seconds: Mapping[Stage, float], *, now: datetime) -> Left:
    """Estimate the time for the jobs that can still be done, from the mean `seconds` of a job of each stage.

    The time that running jobs have taken already is subtracted. Blocked jobs are left out.
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
    """Return the average number of jobs that finished in a minute."""
    minutes = (until - since).total_seconds() / 60
    return sum(since <= job.finished_at <= until for job in finished) / minutes if minutes > 0 else 0.0


def busy_workers(finished: Collection[FinishedJob], *, since: datetime, until: datetime) -> float:
    """Return the average number of workers that these jobs kept busy."""
    whole = (until - since).total_seconds()
    inside = sum(max(0.0, (min(job.finished_at, until) - max(job.started_at, since)).total_seconds()) for job in finished)
    return inside / whole if whole > 0 else 0.0
