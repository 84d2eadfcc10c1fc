"""One race: which attacks are computed on which shards of the examples, and who leaves. Pure: it depends on outcomes alone, whatever the
order in which they come, so that a race that is interrupted and begun anew decides the same."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from orchestrator.statistics.confidence_sequence import drawn_values, is_surely_above, sequence_interval
from orchestrator.statistics.intervals import Correct
from orchestrator.statistics.student import Values

Reason = Literal["known", "model beaten", "weaker attack", "decided"]
EntrantShard = tuple[int, int]
"""Places of an entrant and of a shard."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Rules of a race over `examples` in shards of `shard`.

    `among` are those that leave once they cannot be the best: a model that is not the most robust one, by the strongest attack on it, and
    an attack that is not the strongest one on its model. The probability that one leaves so which all examples would show to be the best
    is `error_rate` at most, for the whole race. With a `precision`, in [0, 1], an attack leaves
    once the 95 % interval of its figure reaches no further to either side. With `stops_decided` all that is left does once the contests
    of `among` are decided.
    """

    examples: int
    shard: int
    among: frozenset[str]
    precision: float | None
    error_rate: float
    stops_decided: bool = False

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.examples // self.shard)

    def size(self, shard: int) -> int:
        """Number of examples of a shard."""
        return min(self.shard, self.examples - shard * self.shard)


@dataclass(kw_only=True)
class Entrant:
    """One attack on one model in a race. `cost` is how expensive it is, in any unit, and `batch` the number of examples that share a draw
    (None: none do). It is over `evaluated` shards, and has left for the `reason`, if it has."""

    model: str
    cost: float
    batch: int | None
    reason: Reason | None = None
    outcomes: list[Correct] = field(default_factory=list)

    @property
    def evaluated(self) -> int:
        """Number of shards of which the outcome is known."""
        return len(self.outcomes)


class Race:
    """Race of some entrants, round by round: a shard of the examples each.

    In a round the model that leads has all its attacks first. Then every other model has its cheapest attack, those that it has not beaten
    the next one, and so on: expensive attacks are made on survivors only. `wanted` is what is to be computed now, nothing once it is over.
    """

    def __init__(self, entrants: Sequence[Entrant], rules: Rules) -> None:
        self.entrants, self.rules = entrants, rules
        self._arrived: dict[EntrantShard, Correct] = {}
        self._tests = _Comparisons(entrants, rules)
        self._steps = self._rounds()
        self.wanted: tuple[EntrantShard, ...] = next(self._steps, ())

    def deliver(self, wanted: EntrantShard, correct: Correct) -> None:
        """Take the outcome of a wanted attack on a shard, (repeats, draws, examples)."""
        self._arrived[wanted] = correct
        if len(self._arrived) < len(self.wanted):
            return
        for place, shard in self.wanted:
            self.entrants[place].outcomes.append(self._arrived[place, shard])
        self._judge()
        self._arrived, self.wanted = {}, next(self._steps, ())

    @property
    def unbeaten(self) -> list[str]:
        """Models that may still be the best."""
        beaten = {entrant.model for entrant in self.entrants if entrant.reason == "model beaten"}
        return [model for model in dict.fromkeys(entrant.model for entrant in self.entrants) if model not in beaten]

    def _rounds(self) -> Iterator[tuple[EntrantShard, ...]]:
        for shard in range(self.rules.shards):
            if first := self._due(shard, [self._leader()]):
                yield tuple((place, shard) for place in first)
            while due := self._due(shard, self.unbeaten):
                cheapest: dict[str, int] = {}
                for place in due:
                    cheapest.setdefault(self.entrants[place].model, place)
                yield tuple((place, shard) for place in cheapest.values())

    def _due(self, shard: int, models: Sequence[str]) -> list[int]:
        """Return the places of those of the models' attacks that go on and have not been made on the shard, the cheapest first."""
        due = [
            (entrant.cost, place)
            for place, entrant in enumerate(self.entrants)
            if entrant.model in models and entrant.reason is None and entrant.evaluated == shard
        ]
        return [place for _, place in sorted(due)]

    def _leader(self) -> str:
        """Return the unbeaten model with the largest accuracy under the attack that leaves it least, so far."""
        return max(self.unbeaten, key=lambda model: min(self._tests.mean(place) for place in self._strong(model)))

    def _strong(self, model: str) -> list[int]:
        """Return the places of those of the model's attacks that may be the strongest one."""
        return [place for place, entrant in enumerate(self.entrants) if entrant.model == model and entrant.reason != "weaker attack"]

    def _judge(self) -> None:
        """Have all leave of whom it is known now."""
        if "models" in self.rules.among:
            for model in self.unbeaten:
                if any(self._beats(other, model) for other in self.unbeaten if other != model):
                    self._leave([place for place, entrant in enumerate(self.entrants) if entrant.model == model], "model beaten")
        if "attacks" in self.rules.among:
            for model in self.unbeaten:
                strong = self._strong(model)
                weaker = [place for place in strong if any(self._tests.above(place, other) for other in strong if other != place)]
                self._leave(weaker, "weaker attack")
        if self.rules.precision is not None:
            known = [place for place, entrant in enumerate(self.entrants) if entrant.reason is None and self._is_known(place)]
            self._leave(known, "known")
        if self.rules.stops_decided and self._is_decided:
            self._leave([place for place, entrant in enumerate(self.entrants) if entrant.reason is None], "decided")

    @property
    def _is_decided(self) -> bool:
        """True once one is left of all that have contested, of models and of the attacks on each that is unbeaten."""
        attacks = "attacks" not in self.rules.among or all(len(self._strong(model)) == 1 for model in self.unbeaten)
        models = "models" not in self.rules.among or len(self.unbeaten) == 1
        return attacks and models and bool(self.rules.among) and len(self.entrants) > 1

    def _leave(self, places: Sequence[int], reason: Reason) -> None:
        for place in places:
            if self.entrants[place].reason in (None, "known"):
                self.entrants[place].reason = reason

    def _beats(self, better: str, worse: str) -> bool:
        """Tell whether an attack leaves less of the worse model than any attack that may be the strongest leaves of the better one."""
        return any(all(self._tests.above(strong, place) for strong in self._strong(better)) for place in self._strong(worse))

    def _is_known(self, place: int) -> bool:
        precision = self.rules.precision
        if precision is None or not self.entrants[place].evaluated:
            return False
        mean, low, high = sequence_interval(self._tests.values(place, self.entrants[place].batch))
        return max(mean - low, high - mean) <= precision


class _Comparisons:
    """Comparisons of a race's entrants, two by two, on the examples that both have."""

    def __init__(self, entrants: Sequence[Entrant], rules: Rules) -> None:
        self._entrants, self._rules = entrants, rules
        self._error_rate = rules.error_rate / max(1, _wrong_ways(entrants))
        self._found: dict[tuple[int, int], tuple[int, bool]] = {}

    def values(self, place: int, batch: int | None) -> Values:
        """Return what counts as drawn one after the other (see `drawn_values`) of an entrant."""
        return drawn(self._entrants[place].outcomes, batch)

    def mean(self, place: int) -> float:
        """Return the accuracy so far; 1 before anything is known."""
        return float(self.values(place, None).mean()) if self._entrants[place].evaluated else 1.0

    def above(self, place: int, other: int) -> bool:
        """Tell whether all examples would surely show a larger accuracy of the one entrant than of the other."""
        shards = min(self._entrants[place].evaluated, self._entrants[other].evaluated)
        before, surely = self._found.get((place, other), (0, False))
        if surely or shards == before:
            return surely
        mine, theirs = (self._entrants[side] for side in (place, other))
        surely = leaves_surely_more(mine, theirs, examples=self._rules.examples, error_rate=self._error_rate)
        self._found[place, other] = shards, surely
        return surely


def drawn(outcomes: Sequence[Correct], batch: int | None) -> Values:
    """Return what counts as drawn one after the other (see `drawn_values`) in shards."""
    return np.concatenate([drawn_values(correct, batch=batch) for correct in outcomes])


def leaves_surely_more(entrant: Entrant, other: Entrant, *, examples: int, error_rate: float) -> bool:
    """Tell by the shards that both have whether all `examples` would surely show a larger accuracy of the one entrant than of the other."""
    batch = entrant.batch or other.batch
    pairs = list(zip(entrant.outcomes, other.outcomes, strict=False))
    mine, theirs = (drawn([pair[side] for pair in pairs], batch) for side in (0, 1))
    population = -(-examples // (batch or 1))
    return is_surely_above((1 + mine - theirs) / 2, 0.5, error_rate=error_rate, population=population)


def _wrong_ways(entrants: Sequence[Entrant]) -> int:
    """Return the number of comparisons one of which must go wrong before the best model, or the strongest attack on a model, leaves.

    The best one is beaten by another model only if that one's strongest attack seems to leave more than one of the best one's does; a
    strongest attack leaves only if it seems to leave more than another on its model does.
    """
    attacks = Counter(entrant.model for entrant in entrants)
    return max(attacks.values()) * (len(attacks) - 1) + len(entrants) - len(attacks)
