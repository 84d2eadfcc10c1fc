"""Attacks of a space that race, with the jobs of each on a shard of the examples, and the job that joins its shards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orchestrator.planning.expand import (
    Sources,
    attack_jobs,
    attack_on_model,
    deduplicate,
    evaluation_of,
    grid_jobs,
    models_of,
    on_splits,
    sources_of,
)
from orchestrator.planning.job_cost import effort
from orchestrator.planning.racing.race import Rules
from search_spaces import Asked, Grid, Space
from workers.spec.job import Job, shard_role
from workers.spec.stage_specs import AttackSpec, EvaluationSpec, Shard, TrainSpec

RaceName = tuple[Any, ...]
"""Everything that the entrants of a race have in common: the rules, the examples, the ball and the attacker's knowledge."""


@dataclass(frozen=True)
class RacedAttack:
    """One attack on one model, which is made shard by shard."""

    model: Job
    asked: Asked
    evaluation: EvaluationSpec
    rules: Rules
    repeats: int
    sources: Sources = field(repr=False, compare=False)

    @property
    def race(self) -> RaceName:
        """The race that it is in."""
        attack, knowledge, source, _ = self.asked
        return (*self.sample, knowledge, source, attack.norm, attack.epsilon)

    @property
    def sample(self) -> tuple[Any, ...]:
        """The rules of its race, and what its examples follow from."""
        data = self._trained.data
        held_out = data.validation_examples if self.evaluation.split == "validation" else None
        return self.rules, data.name, data.settings, held_out, self.evaluation

    @property
    def _trained(self) -> TrainSpec:
        assert isinstance(self.model.spec, TrainSpec)  # noqa: S101 (it has been trained)
        return self.model.spec

    @property
    def batch(self) -> int | None:
        """Number of examples that share a draw; None where none do."""
        return self.evaluation.batch_size if self._trained.shares_draws else None

    @cached_property
    def cost(self) -> float:
        """Roughly how many forward passes over one example a shard takes."""
        return sum(effort(job) for job in self.shard(0) if job.stage in ("attack", "craft"))

    def shard(self, number: int) -> list[Job]:
        """Return the jobs of a shard, parents first, its models' among them."""
        place = Shard(first=number * self.rules.shard, of=self.rules.examples)
        evaluation = self.evaluation.model_copy(update={"examples": self.rules.size(number), "shard": place})
        return list(attack_jobs(self.model, self.asked, evaluation, sources=self.sources, repeats=self.repeats))

    def outcomes(self, jobs: Sequence[Job]) -> list[Job]:
        """Return those of a shard's jobs that have the attack's outcome, one for each repeat."""
        source = self.sources[self.asked.source][-1]
        assert isinstance(source.spec, TrainSpec)  # noqa: S101 (a chain is made of models)
        made = attack_on_model(self.asked, source.spec).attack
        return [job for job in jobs if isinstance(job.spec, AttackSpec) and job.spec.attack == made and not job.spec.after]

    def to_the_end(self) -> Iterator[Job]:
        """Yield the jobs of all shards, and of what joins them, parents first."""
        for number in range(self.rules.shards):
            yield from self.shard(number)
        yield from self.joined()

    def joined(self) -> list[Job]:
        """Return the jobs that join all shards, one for each repeat: the whole result."""
        of_shards = [self.outcomes(self.shard(number)) for number in range(self.rules.shards)]
        return [self._joined(list(shards)) for shards in zip(*of_shards, strict=True)]

    def _joined(self, shards: Sequence[Job]) -> Job:
        assert isinstance(shards[0].spec, AttackSpec)  # noqa: S101 (`outcomes` are attacks)
        whole = shards[0].spec.evaluation.model_copy(update={"examples": self.rules.examples, "shard": None})
        spec = shards[0].spec.model_copy(update={"evaluation": whole})
        source = {"source": self.sources[self.asked.source][-1]} if self.asked.knowledge == "transfer" else {}
        return Job.of(spec, model=self.model, **source, **{shard_role(number): job for number, job in enumerate(shards)})


def raced_attacks(space: Space) -> list[RacedAttack]:
    """Return the attacks of a space that race, in the order of its jobs, equal ones once."""
    found: dict[str, RacedAttack] = {}
    for grid in space.grids:
        for attack in attacks_of_grid(grid):
            for job in attack.outcomes(attack.shard(0))[:1]:
                found.setdefault(job.key, attack)
    return list(found.values())


def jobs_to_the_end(grid: Grid) -> list[Job]:
    """Return all jobs of a grid, parents first, those of its races as if no one left them."""
    of_races = (job for attack in attacks_of_grid(grid) for job in attack.to_the_end())
    return deduplicate([*grid_jobs(grid), *of_races])


def attacks_of_grid(grid: Grid) -> Iterator[RacedAttack]:
    """Yield the attacks of a grid that race."""
    if grid.racing is None or grid.evaluation.examples is None:
        return
    racing = grid.racing
    rules = Rules(
        examples=grid.evaluation.examples,
        shard=racing.shard,
        among=frozenset(racing.among) - {"none"},
        precision=None if racing.precision is None else racing.precision / 100,
        error_rate=racing.error_rate,
        stops_decided=racing.survivors == "stop",
    )
    attacks = [asked for group in grid.attacks for asked in group.resolved()]
    for point, trained in models_of(grid):
        sources = sources_of(point, trained, attacks)
        for evaluation in on_splits(evaluation_of(grid), grid, trained):
            for asked in attacks:
                yield RacedAttack(trained[-1], asked, evaluation, rules, grid.evaluation.repeats, sources)
