"""Further repeats of measurements that are not precise enough for a search."""

from collections.abc import Sequence

from orchestrator.search.objectives import Reading, TrialEvidence
from search_spaces import Precision
from workers.spec.job import AttackSpec, EvaluateSpec, Job


def further_repeats(precision: Precision, evidence: TrialEvidence, readings: Sequence[Reading]) -> list[Job]:
    """Return one more repeat of every evaluation and attack behind a reading with too wide an interval, unless the repeat would be equal,
    or the number of repeats is at its limit. The interval includes the choice of examples, which no repeat narrows."""
    wide = {job.key: job for reading in readings if reading.width > precision.width for job in reading.measured}
    last = {_setting(job): job for job in sorted(wide.values(), key=_repeat) if evidence.differs(job)}
    return [_next(job) for job in last.values() if _repeat(job) + 1 < precision.max_repeats]


def _setting(job: Job) -> object:
    """Return a key that all repeats of an evaluation or attack have in common."""
    return job.spec.model_copy(update={"repeat": 0}), tuple(sorted(job.parents.items()))


def _repeat(job: Job) -> int:
    assert isinstance(job.spec, AttackSpec | EvaluateSpec)  # noqa: S101 (readings depend on nothing else)
    return job.spec.repeat


def _next(job: Job) -> Job:
    return job.model_copy(update={"spec": job.spec.model_copy(update={"repeat": _repeat(job) + 1})})
