"""Time to the end of a running sweep, and its pace: one rule for the driver's display, the dashboard and searches.

A plan that is not launched yet is estimated job by job, in `estimate`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.planning.job_cost import SIMILAR_STAGES
from orchestrator.store import SweepStatus
from orchestrator.store.reading.dashboard_queries import FinishedJob, RunningJob
from workers.spec.fields import Stage

WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class StageWork:
    """Work that is left in a stage: `units` of any kind, in `jobs` jobs."""

    units: float
    jobs: int


@dataclass(frozen=True, kw_only=True)
class TimeLeft:
    """Time to the end: `seconds` (None: not known); `unknown` are stages without a finished job of theirs or a similar one."""

    seconds: float | None
    unknown: tuple[Stage, ...] = ()


class StageRates:
    """Seconds that a unit of work takes, stage by stage, as measured so far."""

    def __init__(self) -> None:
        self._units: dict[Stage, float] = {}
        self._seconds: dict[Stage, float] = {}

    def add(self, stage: Stage, *, units: float, seconds: float) -> None:
        """Count finished work of the stage, and the time that it took."""
        self._units[stage] = self._units.get(stage, 0.0) + units
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    def seconds(self, stage: Stage) -> float | None:
        """Return the seconds for a unit of the stage, or of a similar one where nothing of it was measured; None where there is none."""
        return next((self._seconds[like] / self._units[like] for like in SIMILAR_STAGES[stage] if self._units.get(like)), None)


def time_to_end(work: Mapping[Stage, StageWork], rates: StageRates, *, workers: int) -> TimeLeft:
    """Estimate the time for the work, stage by stage at its rate, with as many workers as have a job there."""
    left = {stage: found for stage, found in work.items() if found.jobs}
    seconds = {stage: rates.seconds(stage) for stage in left}
    unknown = tuple(stage for stage, known in seconds.items() if known is None)
    if unknown or (left and not workers):
        return TimeLeft(seconds=None, unknown=unknown)
    return TimeLeft(
        seconds=sum(max(0.0, found.units) * (seconds[stage] or 0.0) / min(workers, found.jobs) for stage, found in left.items())
    )


def time_at_pace(elapsed: float, *, done: int, left: int) -> float | None:
    """Estimate the seconds for the items that are `left` from the `done` ones, which took `elapsed` seconds; None while none is done."""
    return elapsed / done * max(0, left) if done else None


def time_of_status(status: SweepStatus, running: Collection[RunningJob], seconds: Mapping[Stage, float], *, now: datetime) -> TimeLeft:
    """Estimate the time for the jobs that can still be done, from the mean `seconds` of a job of each stage and the busy workers.

    The time that running jobs have taken already is subtracted. Blocked jobs are left out.
    """
    rates = StageRates()
    for stage, mean in seconds.items():
        rates.add(stage, units=1, seconds=mean)
    work = {}
    for stage, counts in status.stages.items():
        under_way = [(now - job.started_at).total_seconds() for job in running if job.stage == stage]
        units = counts.waiting + _still_to_do(under_way, rates.seconds(stage))
        work[stage] = StageWork(units=units, jobs=counts.waiting + len(under_way))
    found = time_to_end(work, rates, workers=len(running))
    return found if running else TimeLeft(seconds=None, unknown=found.unknown)


def _still_to_do(elapsed: Iterable[float], mean: float | None) -> float:
    """Return the part of running jobs, each of which is one unit, that is not done yet."""
    return sum(max(0.0, 1 - seconds / mean) if mean else 0.0 for seconds in elapsed)


def per_minute(finished: Collection[FinishedJob], *, since: datetime, until: datetime) -> float:
    """Return the average number of jobs that finished in a minute."""
    minutes = (until - since).total_seconds() / 60
    return sum(since <= job.finished_at <= until for job in finished) / minutes if minutes > 0 else 0.0


def busy_workers(finished: Collection[FinishedJob], *, since: datetime, until: datetime) -> float:
    """Return the average number of workers that these jobs kept busy."""
    whole = (until - since).total_seconds()
    inside = sum(max(0.0, (min(job.finished_at, until) - max(job.started_at, since)).total_seconds()) for job in finished)
    return inside / whole if whole > 0 else 0.0
