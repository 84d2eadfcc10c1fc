"""The races of a space, brought as far as the known outcomes go."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from orchestrator.naming.names import counted
from orchestrator.planning.racing.race import Entrant, EntrantShard, Race
from orchestrator.planning.racing.raced_attacks import RacedAttack, RaceName
from orchestrator.statistics.intervals import Correct
from workers.spec.job import Job

Outcomes = Callable[[Sequence[str]], Mapping[str, Correct]]
"""Function that returns those of the asked jobs' flags, (draws, examples), that are known, by key."""


class RaceOfJobs:
    """One race with the jobs of its entrants. `jobs` are those of all shards that were ever wanted, parents first, and of whole results."""

    def __init__(self, attacks: Sequence[RacedAttack]) -> None:
        self.attacks = attacks
        rules = attacks[0].rules
        self.race = Race([Entrant(model=each.model.key, cost=each.cost, batch=each.batch) for each in attacks], rules)
        self.jobs: dict[str, Job] = {}
        self._outcomes: dict[EntrantShard, list[Job]] = {}
        self._want()

    def _want(self) -> None:
        """Name the jobs of what is wanted now."""
        self._outcomes = {}
        for place, shard in self.race.wanted:
            jobs = self.attacks[place].shard(shard)
            self.jobs.update((job.key, job) for job in _raced(jobs))
            self._outcomes[place, shard] = self.attacks[place].outcomes(jobs)

    @property
    def awaited(self) -> list[Job]:
        """Jobs whose outcomes decide how the race goes on."""
        return [job for jobs in self._outcomes.values() for job in jobs]

    def settle(self, known: Mapping[str, Correct]) -> bool:
        """Take the known outcomes, once all that are awaited are; return whether that is so."""
        if not self._outcomes or any(job.key not in known for job in self.awaited):
            return False
        for wanted, jobs in self._outcomes.items():
            self.race.deliver(wanted, np.asarray([known[job.key] for job in jobs], dtype=np.bool_))
        for place, _ in self._outcomes:
            if self.race.entrants[place].evaluated == self.race.rules.shards:
                self.jobs.update((job.key, job) for job in self.attacks[place].joined())
        self._want()
        return True

    def work(self, *, at_most: bool) -> float:
        """Return the cost of all shards that were made, or `at_most` of those that still may be, in the unit of `effort`."""
        pairs = zip(self.race.entrants, self.attacks, strict=True)
        if not at_most:
            return sum(entrant.evaluated * attack.cost for entrant, attack in pairs)
        return sum((self.race.rules.shards - entrant.evaluated) * attack.cost for entrant, attack in pairs if entrant.reason is None)

    @property
    def stopped_early(self) -> int:
        """Number of attacks that have left before their last shard."""
        return sum(entrant.reason is not None and entrant.evaluated < self.race.rules.shards for entrant in self.race.entrants)

    @property
    def work_of_all(self) -> float:
        """Cost of all shards, as without a race."""
        return sum(self.race.rules.shards * attack.cost for attack in self.attacks)

    def possible(self) -> Iterator[Job]:
        """Yield the jobs of all shards that may still be wanted, and of what joins them, parents first."""
        for entrant, attack in zip(self.race.entrants, self.attacks, strict=True):
            if entrant.reason is None and entrant.evaluated < self.race.rules.shards:
                for number in range(entrant.evaluated, self.race.rules.shards):
                    yield from _raced(attack.shard(number))
                yield from attack.joined()


class Races:
    """All races of a space."""

    def __init__(self, attacks: Sequence[RacedAttack]) -> None:
        by_race: defaultdict[RaceName, list[RacedAttack]] = defaultdict(list)
        for attack in attacks:
            by_race[attack.race].append(attack)
        self.each = [RaceOfJobs(entrants) for entrants in by_race.values()]

    @property
    def jobs(self) -> list[Job]:
        """Jobs of all races so far, parents first."""
        return list({key: job for race in self.each for key, job in race.jobs.items()}.values())

    @property
    def possible(self) -> list[Job]:
        """Jobs that may still be wanted, parents first."""
        return list({job.key: job for race in self.each for job in race.possible()}.values())

    @property
    def over(self) -> bool:
        """True where nothing more is wanted."""
        return not any(race.awaited for race in self.each)

    def settle(self, outcomes: Outcomes) -> None:
        """Bring the races as far as the outcomes go."""
        going = list(self.each)
        while going:
            known = outcomes([job.key for race in going for job in race.awaited])
            going = [race for race in going if race.settle(known)]

    def summary(self) -> str:
        """Describe in one line how far the races are, and what they saved so far."""
        over = sum(not race.awaited for race in self.each)
        early = sum(race.stopped_early for race in self.each)
        return f"{over} of {counted(len(self.each), 'race')} over, {early} of {self._attacks} stopped early, {self._share(at_most=False)}"

    def at_most(self) -> str:
        """Describe in one line what the races still cost at most; nothing where there are none."""
        if not self.each:
            return ""
        jobs = counted(len(self.possible), "job")
        return f"{self.summary()}; at most {jobs} more, {self._share(at_most=True)}"

    @property
    def _attacks(self) -> str:
        return counted(sum(len(race.attacks) for race in self.each), "attack")

    def _share(self, *, at_most: bool) -> str:
        """Describe what was done, or what is left `at_most`, as a share of the attacks on all examples."""
        whole = sum(race.work_of_all for race in self.each)
        return f"{100 * sum(race.work(at_most=at_most) for race in self.each) / whole:.0f} % of the passes of attacks on all examples"


def _raced(jobs: Sequence[Job]) -> list[Job]:
    """Return a shard's own jobs, without the models that they need."""
    return [job for job in jobs if job.stage in ("attack", "craft")]
