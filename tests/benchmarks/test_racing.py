"""How much of the attacks' time a race takes for the same decisions, replayed on stored results of a small table 1.

`raced/outcomes.npz` has the flags of a full evaluation, made by `robustsweep launch tests/benchmarks/raced/table1.yaml --executor inline`
and packed by `python -m tests.benchmarks.test_racing HOME`: three thetas, with a draw per example, under FGSM and BIM at two epsilons on
all 10,000 test images of CIFAR-10, as in the paper.
"""

import sqlite3
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.planning.racing.race import Entrant, Race, Rules
from orchestrator.statistics.intervals import Correct
from tests.benchmarks.conftest import Record
from workers.artifacts.outcomes import unpack_flags

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
OUTCOMES = Path(__file__).parent / "raced" / "outcomes.npz"
EXAMPLES, SHARDS, ORDERS = 10_000, 20, 6
RULES = {"among": frozenset({"models", "attacks"}), "error_rate": 0.05}


@dataclass(frozen=True)
class Stored:
    """One attack on one model, evaluated on all examples."""

    theta: float
    attack: str
    epsilon: str
    seconds: float
    correct: Correct


def stored() -> list[Stored]:
    with np.load(OUTCOMES) as file:
        shapes = zip(file["draws"].tolist(), file["examples"].tolist(), strict=True)
        flags = [unpack_flags(file[f"flags {number}"].tobytes(), n_examples=n, draws=d) for number, (d, n) in enumerate(shapes)]
        named = zip(file["theta"].tolist(), file["attack"].tolist(), file["epsilon"].tolist(), file["seconds"].tolist(), flags, strict=True)
        return [Stored(theta, attack, epsilon, seconds, found[None]) for theta, attack, epsilon, seconds, found in named]


def in_another_order(attacks: list[Stored], *, seed: int, count: int) -> list[Stored]:
    """The outcomes of `count` of the examples in another order, the same one for all."""
    places = np.random.default_rng(seed).permutation(EXAMPLES)[:count]
    return [replace(each, seconds=each.seconds * count / EXAMPLES, correct=each.correct[:, :, places]) for each in attacks]


def raced(attacks: list[Stored], *, precision: float | None, stops: bool = False) -> tuple[Race, float]:
    """Race them; return the race and the share of the attacks' seconds that its shards took."""
    examples = attacks[0].correct.shape[2]
    shard = examples // SHARDS
    entrants = [Entrant(model=str(each.theta), cost=each.seconds, batch=None) for each in attacks]
    race = Race(entrants, Rules(examples=examples, shard=shard, precision=precision, stops_decided=stops, **RULES))
    while race.wanted:
        for place, number in race.wanted:
            race.deliver((place, number), attacks[place].correct[:, :, number * shard : (number + 1) * shard])
    spent = sum(each.seconds * entrant.evaluated / race.rules.shards for each, entrant in zip(attacks, entrants, strict=True))
    return race, spent / sum(each.seconds for each in attacks)


def best(attacks: list[Stored]) -> str:
    """The most robust model by all examples."""
    least: dict[str, float] = defaultdict(lambda: 1.0)
    for each in attacks:
        least[str(each.theta)] = min(least[str(each.theta)], float(each.correct.mean()))
    return max(least, key=lambda model: least[model])


@pytest.mark.parametrize("count", [1_000, EXAMPLES])
@pytest.mark.parametrize(("precision", "stops"), [(None, False), (None, True), (0.03, False)])
def test_racing_against_the_full_evaluation(record: Record, precision: float | None, *, stops: bool, count: int) -> None:
    by_ball: defaultdict[str, list[Stored]] = defaultdict(list)
    for each in stored():
        by_ball[each.epsilon].append(each)
    spent: list[tuple[float, float]] = []
    left = 0
    for attacks in by_ball.values():
        for seed in range(ORDERS):
            drawn = in_another_order(attacks, seed=seed, count=count)
            race, share = raced(drawn, precision=precision, stops=stops)
            spent.append((share, sum(each.seconds for each in drawn)))
            left += best(drawn) not in race.unbeaten
    share = sum(part * seconds for part, seconds in spent) / sum(seconds for _, seconds in spent)
    until = "until it is decided" if stops else "survivors to the end" if precision is None else f"figures to {100 * precision:g} points"
    rules = f"{count:,} examples, {until}"
    record(f"racing: attack seconds, {rules}", share, asked="<= 0.35", reference="all examples")
    record(f"racing: the best model has left, {rules}", left / len(spent), asked="<= 0.05", reference="all examples")
    assert left <= 0.05 * len(spent)


def pack(home: Path) -> None:
    """Write the outcomes of a finished sweep."""
    query = "SELECT theta, attack, epsilon_literal, a.seconds, a.draws, n_examples, flags FROM attack_results a"
    query += " JOIN trained_models t ON t.job_key = a.model_key WHERE attack IN ('bim', 'fgsm') ORDER BY 3, 1 DESC, 2"
    with sqlite3.connect(home / "results.db") as store:
        rows = store.execute(query).fetchall()
    theta, attack, epsilon, seconds, draws, examples, flags = zip(*rows, strict=True)
    packed = {f"flags {number}": np.frombuffer(found, dtype=np.uint8) for number, found in enumerate(flags)}
    columns = {"theta": theta, "attack": attack, "epsilon": epsilon, "seconds": seconds, "draws": draws, "examples": examples}
    np.savez_compressed(OUTCOMES, **{name: np.array(values) for name, values in columns.items()}, **packed)


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
