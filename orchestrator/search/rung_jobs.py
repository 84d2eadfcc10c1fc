"""Jobs of a search's rung: the same models trained for fewer epochs, measured on fewer examples and by attacks of fewer steps;
and further repeats of what is not precise enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from orchestrator.planning.expand import deduplicate, grid_proxy_jobs
from orchestrator.planning.training_chain import TrainingChain, stop_early, total_epochs
from orchestrator.search.objectives import Reading, TrialEvidence
from search_spaces import Asked, Grid, MeasuringPrecision, Objective, Rung, Space
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, EvaluateSpec


def proxy_jobs(space: Space, grid: Grid, rung: Rung) -> list[Job]:
    """Return the jobs of a trial on a rung, parents first: clean accuracy, and only the attacks that an objective is measured by.

    The source of a transfer attack is trained to the end, since other trials share it.
    """
    objectives = space.search.objectives if space.search is not None else ()
    asked = [with_fewer_steps(attack, rung.steps) for objective in objectives for attack in space.attacks_of(objective, grid)]
    return deduplicate(
        grid_proxy_jobs(grid, list(dict.fromkeys(asked)), stop=lambda trained: _stopped(trained, rung), examples=rung.examples)
    )


def _stopped(trained: TrainingChain, rung: Rung) -> TrainingChain:
    return trained if rung.epochs is None else stop_early(trained, until=rung_epochs(rung.epochs, total_epochs(trained)))


def rung_epochs(asked: float, schedule: int) -> int:
    """Return a rung's epochs, given as a number (integer) or as a share of the schedule (in (0, 1), rounded up); at most the schedule's."""
    if isinstance(asked, int):
        return min(asked, schedule)
    return -int(-Fraction(str(asked)) * schedule // 1)


def with_fewer_steps(asked: Asked, steps: int | None) -> Asked:
    """Return the attack with at most `steps` steps, their size scaled up so that the total distance stays the same."""
    attack = asked.attack
    if steps is None or attack.steps is None or attack.steps <= steps:
        return asked
    longer = getattr(attack.settings, "abs_stepsize", 0.0) * attack.steps / steps
    return asked._replace(attack=attack.with_settings(steps=steps, abs_stepsize=longer))


@dataclass(frozen=True)
class RungEvidence(TrialEvidence):
    """Evidence from a rung's jobs: its objectives are measured by attacks of at most `steps` steps."""

    steps: int | None = None

    def measuring_attacks(self, objective: Objective) -> Sequence[Asked]:
        return [with_fewer_steps(asked, self.steps) for asked in super().measuring_attacks(objective)]


def further_repeats(precision: MeasuringPrecision, evidence: TrialEvidence, readings: Sequence[Reading]) -> list[Job]:
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
