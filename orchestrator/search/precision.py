"""Further repeats of what a search does not know well enough."""

from collections.abc import Sequence

from orchestrator.search.objectives import Evidence, Reading
from search_spaces import Precision
from workers.spec.job import AttackSpec, EvaluateSpec, Job


def further_repeats(precision: Precision, evidence: Evidence, readings: Sequence[Reading]) -> list[Job]:
    """One more repeat of every evaluation and attack that a reading with too wide an interval rests on, unless that would come to the
    same again, or there are as many repeats as may be. The interval is also that of the choice of examples, which no repeat narrows."""
    wide = {job.key: job for reading in readings if reading.width > precision.width for job in reading.measured}
    last = {_setting(job): job for job in sorted(wide.values(), key=_repeat) if evidence.differs(job)}
    return [_next(job) for job in last.values() if _repeat(job) + 1 < precision.max_repeats]


def _setting(job: Job) -> object:
    """What all repeats of an evaluation or attack have in common."""
    return job.spec.model_copy(update={"repeat": 0}), tuple(sorted(job.parents.items()))


def _repeat(job: Job) -> int:
    assert isinstance(job.spec, AttackSpec | EvaluateSpec)  # noqa: S101 (readings rest on nothing else)
    return job.spec.repeat


def _next(job: Job) -> Job:
    return Job(spec=job.spec.model_copy(update={"repeat": _repeat(job) + 1}), parents=job.parents)
