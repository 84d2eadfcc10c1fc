"""Time to the end of a sweep that runs, and how fast it gets on: one rule for the driver's display, the dashboard and searches.

What is not launched yet is estimated job by job, in `estimate`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.planning.job_cost import LIKE
from orchestrator.store import SweepStatus
from orchestrator.store.reading.dashboard_queries import FinishedJob, RunningJob
from workers.spec.fields import Stage

WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class StageWork:
    """The work that is left in a stage: `units` of any kind, in `jobs` jobs."""

    units: float
    jobs: int


@dataclass(frozen=True, kw_only=True)
class TimeLeft:
    """`seconds` to the end (None: unknown), and the stages that there is nothing to go by for."""

    seconds: float | None
    unknown: tuple[Stage, ...] = ()


class StageRates:
    """Seconds that a unit of work takes, stage by stage, as measured so far."""

    def __init__(self) -> None:
        self._units: dict[Stage, float] = {}
        self._seconds: dict[Stage, float] = {}

    def add(self, stage: Stage, *, units: float, seconds: float) -> None:
        """So much work of the stage took so long."""
        self._units[stage] = self._units.get(stage, 0.0) + units
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    def seconds(self, stage: Stage) -> float | None:
        """For a unit of the stage, or of a stage alike where nothing of it was measured; None where there is none."""
        return next((self._seconds[like] / self._units[like] for like in LIKE[stage] if self._units.get(like)), None)


def time_to_end(work: Mapping[Stage, StageWork], rates: StageRates, *, workers: int) -> TimeLeft:
    """Stage after stage at its rate, by as many workers as have a job there."""
    left = {stage: found for stage, found in work.items() if found.jobs}
    seconds = {stage: rates.seconds(stage) for stage in left}
    unknown = tuple(stage for stage, known in seconds.items() if known is None)
    if unknown or (left and not workers):
        return TimeLeft(seconds=None, unknown=unknown)
    return TimeLeft(
        seconds=sum(max(0.0, found.units) * (seconds[stage] or 0.0) / min(workers, found.jobs) for stage, found in left.items())
    )


def time_at_pace(elapsed: float, *, done: int, left: int) -> float | None:
    """Seconds for what is left, if it goes on as it did: `done` in `elapsed` seconds. None while nothing is done."""
    return elapsed / done * max(0, left) if done else None


def time_of_status(status: SweepStatus, running: Collection[RunningJob], seconds: Mapping[Stage, float], *, now: datetime) -> TimeLeft:
    """Time to the end by what the store says, from the mean `seconds` of a job of each stage, with as many workers as are busy now.

    What running jobs have done already is taken off. Blocked jobs are not waited for.
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
    """Of running jobs, each of which is one unit, what they have not done yet."""
    return sum(max(0.0, 1 - seconds / mean) if mean else 0.0 for seconds in elapsed)


def per_minute(finished: Collection[FinishedJob], *, since: datetime, until: datetime) -> float:
    """The number of jobs that finished in a minute, on average."""
    minutes = (until - since).total_seconds() / 60
    return sum(since <= job.finished_at <= until for job in finished) / minutes if minutes > 0 else 0.0


def busy_workers(finished: Collection[FinishedJob], *, since: datetime, until: datetime) -> float:
    """The number of workers that these jobs kept busy, on average."""
    whole = (until - since).total_seconds()
    inside = sum(max(0.0, (min(job.finished_at, until) - max(job.started_at, since)).total_seconds()) for job in finished)
    return inside / whole if whole > 0 else 0.0
