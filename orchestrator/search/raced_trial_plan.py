"""Stages of a trial whose attack is made shard by shard: it ends as soon as the best trial so far is surely better."""

from collections.abc import Callable, Sequence
from itertools import takewhile

import numpy as np
from optuna.study import Study
from optuna.trial import TrialState

from orchestrator.planning.expand import deduplicate, grid_jobs
from orchestrator.planning.racing.race import Entrant, leaves_surely_more
from orchestrator.planning.racing.raced_attacks import RacedAttack, attacks_of_grid
from orchestrator.search.samplers import values_of
from orchestrator.search.trial_plan import FullTrialPlan, Pruned, TrialOutcome
from orchestrator.statistics.intervals import Correct
from orchestrator.store import Store
from orchestrator.store.reading.study_trials import flags_of
from search_spaces import Grid, Space
from workers.spec.job import Job

BestTrial = tuple[int, Grid]
"""Number of a trial, and the grid of its values."""


class RacedTrialPlan:
    """Plan of a trial that races against the best finished one: on the same examples, in the same random order, shard by shard.

    The trial that all examples would show to be the best is pruned with a probability of `racing.error_rate` at most in the whole search:
    each of its trials has an equal share of that. One that is not pruned is measured to the end.
    """

    def __init__(self, space: Space, grid: Grid, store: Store, *, best: Callable[[], BestTrial | None]) -> None:
        assert space.search is not None  # noqa: S101 (only a space with method optuna is searched)
        self._space, self._store, self._best = space, store, best
        (self._objective,) = space.search.objectives
        self._attack = self._attack_of(grid)
        self._error_rate = self._attack.rules.error_rate / space.search.n_trials
        self._before, self._whole = list(grid_jobs(grid)), FullTrialPlan(space, grid, store)
        self._of_shards = [self._attack.shard(number) for number in range(self._attack.rules.shards)]
        self._measuring = [self._attack.outcomes(jobs) for jobs in self._of_shards]
        self._rivals: dict[int, tuple[RacedAttack, list[Job]]] = {}
        self._shards = 0

    def advance(self) -> Sequence[Job] | TrialOutcome | None:
        outcomes = self._known(self._measuring)
        if len(outcomes) < self._shards:
            return None  # a result that is not in the database yet
        if self._shards == len(self._of_shards):
            return self._whole.advance()
        if self._shards and (better := self._better_trial(outcomes)) is not None:
            rules = self._attack.rules
            return Pruned(f"surely not better than trial {better}: by {self._shards * rules.shard:,} of {rules.examples:,} examples")
        self._shards = min(len(outcomes) + 1, len(self._of_shards))
        return deduplicate([*self._before, *(job for jobs in self._of_shards[: self._shards] for job in jobs)])

    def _better_trial(self, outcomes: Sequence[Correct]) -> int | None:
        """Return the number of the best trial, where that is surely better by the shards that this one has the outcomes of."""
        if (best := self._best()) is None:
            return None
        attack, joined = self._rival(*best)
        if attack.sample != self._attack.sample or not (found := self._known([joined])):
            return None
        firsts = range(attack.rules.shard, attack.rules.examples, attack.rules.shard)
        theirs = _entrant(attack, [np.asarray(part, dtype=np.bool_) for part in np.split(found[0], firsts, axis=2)])
        mine = _entrant(self._attack, outcomes)
        pair = (mine, theirs) if self._objective.goal == "minimize" else (theirs, mine)
        return best[0] if leaves_surely_more(*pair, examples=attack.rules.examples, error_rate=self._error_rate) else None

    def _rival(self, number: int, grid: Grid) -> tuple[RacedAttack, list[Job]]:
        """Return the attack on another trial's model, and the jobs of its whole result: from shard to shard the best is mostly the same."""
        if number not in self._rivals:
            attack = self._attack_of(grid)
            self._rivals[number] = attack, attack.joined()
        return self._rivals[number]

    def _attack_of(self, grid: Grid) -> RacedAttack:
        """Return the attack by which a trial's objective is measured."""
        meant = self._space.attacks_of(self._objective, grid)
        return next(attack for attack in attacks_of_grid(grid) if attack.asked in meant)

    def _known(self, jobs: Sequence[Sequence[Job]]) -> list[Correct]:
        """Return the outcomes of jobs, each with its repeats, up to the first that is not in the database."""
        known = flags_of(self._store, [job.key for repeats in jobs for job in repeats])
        first = takewhile(lambda repeats: all(job.key in known for job in repeats), jobs)
        return [np.stack([known[job.key] for job in repeats]) for repeats in first]


def _entrant(attack: RacedAttack, outcomes: Sequence[Correct]) -> Entrant:
    return Entrant(model=attack.model.key, cost=attack.cost, batch=attack.batch, outcomes=list(outcomes))


def best_trial(study: Study, space: Space) -> BestTrial | None:
    """Return the best finished trial that violates no constraint, of equal ones the first; None where there is none in these ranges."""
    assert space.search is not None  # noqa: S101 (only a space with method optuna is searched)
    sign = 1 if space.search.objectives[0].goal == "minimize" else -1
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    for trial in sorted(finished, key=lambda trial: (sign * trial.values[0], trial.number)):
        if all(violation <= 0 for violation in trial.constraints.values()):
            try:
                return trial.number, space.at(values_of(trial.params, space.parameters))
            except ValueError:  # the space has other ranges now
                continue
    return None
