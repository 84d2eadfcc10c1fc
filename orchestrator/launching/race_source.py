"""Races as a source of jobs: hands out the shards that are wanted, and decides by their outcomes what is wanted next."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from orchestrator.driver.recorder import Recorder
from orchestrator.planning.plan import make_plan
from orchestrator.planning.racing.races import Outcomes, Races
from orchestrator.statistics.intervals import Correct
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import FlagsOutcome
from workers.spec.job import Job
from workers.spec.stage_specs import TrainSpec


class RaceSource:
    """`JobSource` of races. Their state follows from the recorded outcomes alone: a sweep that was killed goes on where it was.

    A race one of whose jobs has failed for good, or whose model has, stops there: who would leave is not known. The next launch goes on.
    """

    def __init__(
        self, races: Races, recorder: Recorder, artifacts: Artifacts, *, known: Iterable[Job], recorded: Collection[str], stored: Outcomes
    ) -> None:
        """Go on with races; `known` are the sweep's other jobs, `stored` reads the outcomes of jobs that were `recorded` before."""
        self._races, self._recorder, self._artifacts = races, recorder, artifacts
        self._known = {job.key: job for job in known}
        self._earlier, self._stored = frozenset(recorded), stored
        self._recorded, self._on_disk = set(recorded), set[str]()
        self._flags: dict[str, Correct] = {}
        self._handed_out: set[str] = set()
        self._failed: set[str] = set()
        self._stopped: set[int] = set()
        self._done = 0.0
        self._before = self._work_done

    def more(self, *, idle: bool) -> Sequence[Job]:  # noqa: ARG002 (what is wanted is wanted at once)
        """Return the jobs that are wanted now and have no result yet."""
        found: list[Job] = []
        while new := [job for job in self._races.jobs if job.key not in self._handed_out]:
            found += self._dispatch(new)
            self._races.settle(self._outcomes)
        return found

    def _dispatch(self, new: Sequence[Job]) -> list[Job]:
        """Record the jobs as the sweep's; return those to run."""
        self._handed_out.update(job.key for job in new)
        self._known.update((job.key, job) for job in new)
        self._recorder.add(new)
        models = [job for job in self._known.values() if isinstance(job.spec, TrainSpec)]
        self._on_disk |= self._artifacts.finished({job.key for job in (*models, *new)} - self._on_disk)
        plan = make_plan([*models, *new], recorded=self._recorded, finished=self._on_disk)
        for job in plan.jobs:
            if job.key in plan.unrecorded and job.key in self._handed_out:
                self._recorder.finished(job)
                self._recorded.add(job.key)
        self._look_for_failed()
        return list(plan.to_run)

    def _outcomes(self, keys: Sequence[str]) -> Mapping[str, Correct]:
        """Return the flags of those of the jobs that are done; of this launch's from their artifacts: the database may be behind."""
        wanted = [key for key in keys if key in self._recorded and key not in self._flags]
        self._flags.update(self._stored([key for key in wanted if key in self._earlier]))
        for key in (key for key in wanted if key not in self._earlier):
            outcome = self._artifacts.result(key).outcome
            assert isinstance(outcome, FlagsOutcome)  # noqa: S101 (an attack's)
            self._flags[key] = outcome.correct()
        return self._flags

    def succeeded(self, job: Job) -> None:
        self._recorded.add(job.key)
        self._on_disk.add(job.key)
        if job.key in self._handed_out:
            self._races.settle(self._outcomes)

    def failed(self, job: Job) -> None:
        self._failed.add(job.key)
        self._look_for_failed()

    def _look_for_failed(self) -> None:
        if self._failed:
            stopped = (number for number, race in enumerate(self._races.each) if any(map(self._is_doomed, race.awaited)))
            self._stopped.update(stopped)

    def _is_doomed(self, job: Job) -> bool:
        """Tell whether the job, or one that it needs, has failed for good."""
        if job.key in self._recorded:
            return False
        parents = (self._known[key] for key in job.parents.values() if key in self._known)
        return job.key in self._failed or any(map(self._is_doomed, parents))

    @property
    def drained(self) -> bool:
        going = [race for number, race in enumerate(self._races.each) if number not in self._stopped]
        return not any(race.awaited for race in going) and all(job.key in self._handed_out for job in self._races.jobs)

    def summary(self) -> str:
        return self._races.summary()

    @property
    def _work_done(self) -> float:
        return sum(race.work(at_most=False) for race in self._races.each)

    def seconds_left(self, elapsed: float) -> float | None:
        """Return the seconds to the end if no more attacks leave early."""
        done, left = self._work_done - self._before, sum(race.work(at_most=True) for race in self._races.each)
        return elapsed * left / done if done else None

    def conclusion(self) -> str:
        """Describe the end of the races in one line."""
        stopped = f"; {len(self._stopped)} stopped where a job failed" if self._stopped else ""
        return f"{self.summary()}{stopped}"
