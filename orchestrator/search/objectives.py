"""Values of a search's objectives and constraints for one trial, from the outcomes of its jobs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.planning.expand import attack_on_model
from orchestrator.statistics.intervals import Correct
from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.statistics.worst_case import worst_case
from orchestrator.store import interval_over_seeds
from orchestrator.store.reading.study_trials import JobOutcome
from search_spaces import Asked, Grid, Objective, Space
from workers.spec.fields import CRAFTED
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, EvaluateSpec, TrainSpec

_UNMEASURED = "the worst case of a randomised model needs two repeats or draws: one chooses the attack, the other scores it"


@dataclass(frozen=True)
class Reading:
    """Value of an objective. For a share, `width` is that of its 95 % interval and `measured` are the jobs it is computed from."""

    value: float
    width: float = 0.0
    measured: tuple[Job, ...] = ()


@dataclass(frozen=True)
class TrialEvidence:
    """Grid of a trial, its jobs and their outcomes, by key. The grid is a single point, except for its seeds: with several, accuracies are
    those of a model trained from any seed, and other values are means over the models."""

    space: Space
    grid: Grid
    jobs: Sequence[Job]
    outcomes: Mapping[str, JobOutcome]

    def read(self, objective: Objective) -> Reading:
        """Return the objective's value.

        Raises:
            ValueError: it has none.
        """
        match objective.metric:
            case "parameters":
                return Reading(float(np.mean([self._parameters(model) for model in self._models])))
            case "attack_seconds":
                return Reading(float(np.mean([self._seconds(model) for model in self._models])))
            case "clean_accuracy":
                return self._share([(jobs, self._flags(jobs)) for jobs in map(self._evaluations, self._models)])
            case _:
                meant = self.measuring_attacks(objective)
                ensemble = objective.metric == "worst_case_accuracy"
                return self._share([self._under(meant, model, ensemble=ensemble) for model in self._models])

    def measuring_attacks(self, objective: Objective) -> Sequence[Asked]:
        """Return the attacks that the objective is measured by."""
        return self.space.attacks_of(objective, self.grid)

    @property
    def _models(self) -> list[str]:
        """Keys of the measured models, without their ancestors and sources."""
        return list(dict.fromkeys(job.parents["model"] for job in self.jobs if isinstance(job.spec, EvaluateSpec)))

    def _trained(self, key: str) -> TrainSpec:
        return next(job.spec for job in self.jobs if job.key == key and isinstance(job.spec, TrainSpec))

    def _parameters(self, model: str) -> int:
        number = self.outcomes[model].n_parameters
        assert number is not None  # noqa: S101 (a trained model has it)
        return number

    def _seconds(self, model: str) -> float:
        """Return the seconds of all attacks on the model, with the crafting of examples: the sum over attacks of the mean over repeats."""
        total = 0.0
        for jobs in self._attacks(model):
            total += float(np.mean([self.outcomes[job.key].seconds for job in jobs]))
        crafted = {job.parents["examples"] for jobs in self._attacks(model) for job in jobs if "examples" in job.parents}
        return total + sum(self.outcomes[key].seconds for key in crafted)

    def _evaluations(self, model: str) -> list[Job]:
        return [job for job in self.jobs if isinstance(job.spec, EvaluateSpec) and job.parents["model"] == model]

    def _attacks(self, model: str) -> Iterator[list[Job]]:
        """Yield the attacks on the model, each as the list of its repeats."""
        groups: dict[tuple[object, ...], list[Job]] = {}
        for job in self.jobs:
            if isinstance(job.spec, AttackSpec) and job.parents["model"] == model and job.spec.evaluation.shard is None:
                spec = job.spec
                made_on = tuple(job.parents.get(role) for role in ("source", "examples"))  # the others are its own repeat's
                groups.setdefault((spec.attack, spec.knowledge, made_on), []).append(job)
        yield from groups.values()

    def _under(self, meant: Sequence[Asked], model: str, *, ensemble: bool) -> tuple[list[Job], Correct]:
        """Return the repeats of the attacks that are `meant`, and the correctness under them, shape (repeats or folds, draws, examples)."""
        groups = [jobs for jobs in self._attacks(model) if any(self._is(jobs[0], asked) for asked in meant)]
        if not groups:
            raise ValueError("none of the space's attacks on this model is the one that the objective means")
        jobs = [job for group in groups for job in group]
        if not ensemble and len(groups) == 1:
            return jobs, self._flags(groups[0])
        found = worst_case([self._flags(group) for group in groups], randomised=self._trained(model).randomised)
        if found is None:
            raise ValueError(_UNMEASURED)
        return jobs, found

    def _is(self, job: Job, asked: Asked) -> bool:
        """Return whether the job is the attack as it applies to this model."""
        assert isinstance(job.spec, AttackSpec)  # noqa: S101 (`_attacks` yields such)
        source = self._trained(job.parents.get("source", job.parents["model"]))
        return job.spec.knowledge == asked.knowledge and job.spec.attack == attack_on_model(asked, source).attack

    def _flags(self, jobs: Sequence[Job]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Return the correctness in an evaluation's or attack's repeats, shape (repeats, draws, examples)."""
        flags = [self.outcomes[job.key].correct for job in jobs]
        return np.stack([correct for correct in flags if correct is not None])

    def _share(self, by_model: Sequence[tuple[Sequence[Job], Correct]]) -> Reading:
        mean, low, high = interval_over_seeds(
            [correct for _, correct in by_model], _shared_draws([job for jobs, _ in by_model for job in jobs])
        )
        return Reading(mean, high - low, tuple(job for jobs, _ in by_model for job in jobs))

    def differs(self, job: Job) -> bool:
        """Return whether another repeat of an evaluation or attack may have a different result."""
        randomised = self._trained(job.parents["model"]).randomised
        if isinstance(job.spec, AttackSpec):
            return randomised or (job.spec.attack.randomised and job.spec.knowledge not in CRAFTED)
        return randomised


def _shared_draws(jobs: Sequence[Job]) -> SharedDraws:
    """Return what shares a draw in evaluations and attacks."""
    specs = [job.spec for job in jobs if isinstance(job.spec, EvaluateSpec | AttackSpec)]
    crafted = any(isinstance(spec, AttackSpec) and spec.knowledge not in CRAFTED for spec in specs)
    return SharedDraws(batch=specs[0].evaluation.batch_size, crafted=crafted)
