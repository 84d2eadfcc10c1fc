"""How much of the attacks' time a race takes for the same decisions, replayed on stored results of a small table 1.

`raced/outcomes.npz` has the flags of a full evaluation, made by `robustsweep launch tests/benchmarks/raced/table1.yaml --executor inline`
and packed by `python -m tests.benchmarks.test_racing HOME`: 4 thetas under FGSM, BIM and PGD on 2,000 test images of CIFAR-10.
"""

import sqlite3
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from orchestrator.racing.race import Entrant, Race, Rules
from orchestrator.statistics.intervals import Correct
from tests.benchmarks.conftest import Record
from workers.artifacts.results import unpack_flags

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
OUTCOMES = Path(__file__).parent / "raced" / "outcomes.npz"
BATCH, SHARD, ORDERS = 25, 100, 20
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


def in_another_order(attacks: list[Stored], seed: int) -> dict[int, Correct]:
    """The flags with the batches, which share draws, in another order, the same one for all."""
    batches = attacks[0].correct.shape[2] // BATCH
    order = np.random.default_rng(seed).permutation(batches)
    places = (order[:, None] * BATCH + np.arange(BATCH)).ravel()
    return {number: attack.correct[:, :, places] for number, attack in enumerate(attacks)}


def raced(attacks: list[Stored], *, precision: float | None, seed: int) -> tuple[Race, float]:
    """Race them; return the race and the seconds that its shards took."""
    flags = in_another_order(attacks, seed)
    entrants = [Entrant(model=str(each.theta), cost=each.seconds, batch=BATCH if each.theta < 1 else None) for each in attacks]
    race = Race(entrants, Rules(examples=attacks[0].correct.shape[2], shard=SHARD, precision=precision, **RULES))
    while race.wanted:
        for place, shard in race.wanted:
            race.deliver((place, shard), flags[place][:, :, shard * SHARD : (shard + 1) * SHARD])
    return race, sum(each.seconds * entrant.evaluated / race.rules.shards for each, entrant in zip(attacks, entrants, strict=True))


def best(attacks: list[Stored]) -> tuple[str, float]:
    """The most robust model by all examples, and by how much it is."""
    least: dict[str, float] = defaultdict(lambda: 1.0)
    for each in attacks:
        least[str(each.theta)] = min(least[str(each.theta)], float(each.correct.mean()))
    first, second, *_ = sorted(least, key=lambda model: -least[model])
    return first, least[first] - least[second]


@pytest.mark.parametrize("precision", [None, 0.03])
def test_racing_against_the_full_evaluation(record: Record, precision: float | None) -> None:
    by_ball: defaultdict[str, list[Stored]] = defaultdict(list)
    for each in stored():
        by_ball[each.epsilon].append(each)
    spent = wrong = decided = 0.0
    whole = ORDERS * sum(each.seconds for attacks in by_ball.values() for each in attacks)
    for attacks in by_ball.values():
        model, _ = best(attacks)
        for seed in range(ORDERS):
            race, seconds = raced(attacks, precision=precision, seed=seed)
            spent += seconds
            wrong += model not in race.unbeaten
            decided += race.unbeaten == [model]
    races = ORDERS * len(by_ball)
    asked = "survivors to the end" if precision is None else f"figures to {100 * precision:g} points"
    record(f"racing: attack seconds, {asked}", spent / whole, asked="<= 0.35", reference="all examples")
    record(f"racing: best model has left, {asked}", wrong / races, asked="<= 0.05", reference="all examples")
    record(f"racing: best model alone at the end, {asked}", decided / races, asked="1", reference="all examples")
    assert wrong <= 0.05 * races


def pack(home: Path) -> None:
    """Write the outcomes of a finished sweep."""
    query = "SELECT theta, attack, epsilon_literal, a.seconds, a.draws, n_examples, flags FROM attack_results a"
    with sqlite3.connect(home / "results.db") as store:
        rows = store.execute(f"{query} JOIN trained_models t ON t.job_key = a.model_key ORDER BY 3, 1 DESC, 2").fetchall()
    theta, attack, epsilon, seconds, draws, examples, flags = zip(*rows, strict=True)
    packed = {f"flags {number}": np.frombuffer(found, dtype=np.uint8) for number, found in enumerate(flags)}
    columns = {"theta": theta, "attack": attack, "epsilon": epsilon, "seconds": seconds, "draws": draws, "examples": examples}
    np.savez_compressed(OUTCOMES, **{name: np.array(values) for name, values in columns.items()}, **packed)


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
