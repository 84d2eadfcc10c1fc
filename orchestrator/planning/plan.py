"""Plan of a sweep: its jobs compared with the results that exist."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

from workers.artifacts.artifacts import Artifacts
from workers.spec.fields import Stage
from workers.spec.job import Job

STAGES: tuple[Stage, ...] = (
    "pretrain",
    "adopt",
    "fine_tune",
    "select",
    "defend",
    "evaluate",
    "craft",
    "attack",
    "diagnose",
    "surface",
    "corrupt",
)


@dataclass(frozen=True)
class Plan:
    """DAG of a sweep: all jobs with parents before children, and the keys of those to run, to record, and only to recreate."""

    jobs: tuple[Job, ...]
    pending: frozenset[str]
    unrecorded: frozenset[str]
    recreated: frozenset[str]
    changed: Mapping[str, int] = field(default_factory=dict)
    """The number of jobs to run that are new because files of plugins have changed, by these files."""
    races: str = ""
    """The most that races cost, in one line; then the jobs to run are those that may be. Empty without races."""

    @property
    def to_run(self) -> tuple[Job, ...]:
        """Jobs without a result, and finished ones whose artifact is missing and needed, parents first."""
        wanted = self.pending | self.recreated
        return tuple(job for job in self.jobs if job.key in wanted)

    @property
    def using_data(self) -> tuple[Job, ...]:
        """Jobs to run and their parents, finished or not: a model's job names the data that its evaluations read, too."""
        wanted = {key for job in self.to_run for key in (job.key, *job.parents.values())}
        return tuple(job for job in self.jobs if job.key in wanted)

    def only(self, keys: Iterable[str]) -> "Plan":
        """Return the plan that runs these jobs and, parents first, what they still need; the others stay as they are."""
        wanted = set(keys)
        for job in reversed(self.jobs):
            wanted.update(job.parents.values() if job.key in wanted else ())
        return replace(self, pending=self.pending & wanted, recreated=self.recreated & wanted)

    def done(self, stage: Stage) -> int:
        return self._counts[stage, False]

    def total(self, stage: Stage) -> int:
        return self._counts[stage, False] + self._counts[stage, True]

    @cached_property
    def _counts(self) -> Counter[tuple[Stage, bool]]:
        """Numbers of jobs by stage, and by whether they are still to be done."""
        return Counter((job.stage, job.key in self.pending) for job in self.jobs)


def finished_jobs(artifacts: Artifacts, jobs: Sequence[Job], *, recorded: Set[str]) -> frozenset[str]:
    """Return those jobs with files of which a plan depends on them: loss surfaces, what is not recorded yet, and their ancestors.

    Raises:
        StorageError: the artifacts cannot be read.
    """
    asked: set[str] = set()
    for job in reversed(jobs):
        if job.key in asked or job.key not in recorded or job.stage == "surface":
            asked.update((job.key, *job.parents.values()))
    return artifacts.finished(asked)


def damaged_jobs(artifacts: Artifacts, jobs: Iterable[Job], *, recorded: Set[str], finished: Set[str]) -> frozenset[str]:
    """Return the finished jobs with damaged files, of those whose damage would otherwise go unnoticed: results that are not in the database
    yet, and loss surfaces, which no other job reads. (The files of all others are verified by the jobs that read them.)

    Raises:
        StorageError: the artifacts cannot be read.
    """
    return frozenset(
        job.key
        for job in jobs
        if job.key in finished and (job.key not in recorded or job.stage == "surface") and artifacts.damage(job.key) is not None
    )


def make_plan(jobs: Iterable[Job], *, recorded: Set[str], finished: Set[str], damaged: Set[str] = frozenset()) -> Plan:
    """Compare a sweep's jobs with the existing results.

    Args:
        jobs: the sweep's jobs, parents before children.
        recorded: keys with a result in the database.
        finished: keys with an artifact on disk. A finished job that is not recorded is recorded, not computed again; a recorded
            one without its artifact is computed again only if a job that is still to run needs its files.
        damaged: those of them whose files have changed; they are computed again.
    """
    jobs, finished = tuple(jobs), finished - damaged
    pending = frozenset(job.key for job in jobs if job.key not in recorded and job.key not in finished)
    needed: set[str] = set(damaged) - pending
    for job in reversed(jobs):
        if job.key in pending or job.key in needed:
            needed.update(parent for parent in job.parents.values() if parent not in finished)
    unrecorded = frozenset(job.key for job in jobs if job.key in finished and job.key not in recorded)
    return Plan(jobs, pending, unrecorded, recreated=frozenset(needed) - pending)
