"""Decisions of a race: error rates in simulation, who leaves, and that they depend on outcomes alone."""

from dataclasses import replace

import numpy as np
import pytest

from orchestrator.planning.racing.race import Entrant, Race, Rules

RULES = Rules(examples=600, shard=100, among=frozenset({"models", "attacks"}), precision=None, error_rate=0.05)


def entrants(*models: str, attacks: int = 1, batch: int | None = None) -> list[Entrant]:
    return [Entrant(model=model, cost=1 + number, batch=batch) for model in models for number in range(attacks)]


def outcomes(accuracies: list[float], *, seed: int, examples: int = 600) -> list[np.ndarray]:
    """Flags of each entrant, (1, 1, examples); hard examples are hard for all."""
    difficulty = np.random.default_rng(seed).random(examples)
    noise = np.random.default_rng(seed + 1000).random((len(accuracies), examples)) * 0.2
    return [(0.8 * difficulty + own < accuracy)[None, None] for accuracy, own in zip(accuracies, noise, strict=True)]


def run(race: Race, flags: list[np.ndarray], *, shuffle: int | None = None) -> Race:
    while race.wanted:
        order = list(race.wanted)
        if shuffle is not None:
            np.random.default_rng(shuffle).shuffle(order)
        for place, shard in [tuple(map(int, wanted)) for wanted in order]:
            start = shard * race.rules.shard
            race.deliver((place, shard), flags[place][:, :, start : start + race.rules.size(shard)])
    return race


def test_a_model_that_is_clearly_worse_leaves_and_the_best_goes_on_to_the_end():
    race = run(Race(entrants("a", "b", "c"), RULES), outcomes([0.3, 0.7, 0.35], seed=0))
    assert race.unbeaten == ["b"]
    assert [entrant.evaluated for entrant in race.entrants] == [1, 6, 1]
    assert [entrant.reason for entrant in race.entrants] == ["model beaten", None, "model beaten"]


def test_those_who_are_left_stop_once_it_is_decided_where_that_is_asked_for():
    rules, flags = replace(RULES, stops_decided=True), outcomes([0.7, 0.65, 0.1, 0.1], seed=2)
    race = run(Race(entrants("a", "b", attacks=2), rules), flags)
    whole = run(Race(entrants("a", "b", attacks=2), RULES), flags)
    assert race.unbeaten == whole.unbeaten == ["a"]
    assert "decided" in [entrant.reason for entrant in race.entrants]
    assert sum(entrant.evaluated for entrant in race.entrants) < sum(entrant.evaluated for entrant in whole.entrants)


def test_one_attack_alone_contests_with_nobody_and_goes_on_to_the_end():
    race = run(Race(entrants("a"), replace(RULES, stops_decided=True)), outcomes([0.5], seed=1))
    assert race.entrants[0].evaluated == 6


def test_an_attack_that_is_clearly_weaker_leaves_and_its_model_stays():
    race = run(Race(entrants("a", attacks=2), RULES), outcomes([0.8, 0.3], seed=1))
    assert [entrant.reason for entrant in race.entrants] == ["weaker attack", None]
    assert race.unbeaten == ["a"]


def test_an_expensive_attack_is_not_made_on_a_model_that_a_cheap_one_has_beaten():
    flags = outcomes([0.7, 0.65, 0.1, 0.1], seed=2)
    race = run(Race(entrants("a", "b", attacks=2), RULES), flags)
    assert [entrant.evaluated for entrant in race.entrants[2:]] == [1, 0]
    assert race.entrants[3].reason == "model beaten"


def test_a_figure_that_is_known_to_the_asked_width_ends_its_attack():
    rules = Rules(examples=2000, shard=100, among=frozenset(), precision=0.02, error_rate=0.05)
    race = run(Race(entrants("a", "b"), rules), outcomes([0.0, 0.5], seed=3, examples=2000))
    assert race.entrants[0].reason == "known"
    assert race.entrants[0].evaluated <= 3
    assert race.entrants[1].evaluated == 20


def test_without_anyone_who_may_leave_all_examples_are_attacked():
    rules = Rules(examples=600, shard=100, among=frozenset(), precision=None, error_rate=0.05)
    race = run(Race(entrants("a", "b"), rules), outcomes([0.1, 0.9], seed=4))
    assert [entrant.evaluated for entrant in race.entrants] == [6, 6]


@pytest.mark.parametrize("shuffle", [0, 1])
def test_the_order_in_which_outcomes_come_decides_nothing(shuffle: int):
    flags = outcomes([0.5, 0.45, 0.55, 0.3, 0.6, 0.35], seed=5)
    one, other = (run(Race(entrants("a", "b", "c", attacks=2), RULES), flags, shuffle=order) for order in (None, shuffle))
    assert [(each.reason, each.evaluated) for each in one.entrants] == [(each.reason, each.evaluated) for each in other.entrants]


def test_the_last_shard_is_smaller_where_the_examples_do_not_divide():
    rules = Rules(examples=250, shard=100, among=frozenset(), precision=None, error_rate=0.05)
    assert (rules.shards, [rules.size(shard) for shard in range(3)]) == (3, [100, 100, 50])


@pytest.mark.parametrize("batch", [None, 25])
def test_wrong_decisions_are_rarer_than_the_error_rate(batch: int | None):
    """Two models that differ little; with a batch each draws a good or a bad sketch for a whole batch."""
    wrong = early = 0
    for seed in range(80):
        generator = np.random.default_rng(seed)
        flags = outcomes([0.5, 0.52], seed=seed)
        if batch is not None:
            lucky = np.repeat(generator.random((2, 600 // batch)) < 0.5, batch, axis=1)
            flags = [own & kept for own, kept in zip(flags, lucky[:, None, None], strict=True)]
        race = run(Race(entrants("a", "b", batch=batch), RULES), flags)
        best = max(("a", "b"), key=lambda model: flags["ab".index(model)].mean())
        beaten = [entrant for entrant in race.entrants if entrant.reason == "model beaten" and entrant.evaluated < 6]
        early += bool(beaten)
        wrong += any(entrant.model == best for entrant in beaten)
    assert wrong <= 0.05 * 80
    assert batch is not None or early > 0


def test_as_independent_examples_lucky_batches_would_decide_wrongly():
    """What the batches are for: the same outcomes, taken for independent, are beyond the error rate."""
    wrong = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        lucky = np.repeat(generator.random((2, 6)) < 0.5, 100, axis=1)
        flags = list(lucky[:, None, None])
        race = run(Race(entrants("a", "b", batch=None), RULES), flags)
        means = [own.mean() for own in flags]
        wrong += any(each.reason == "model beaten" and means["ab".index(each.model)] >= max(means) for each in race.entrants)
    assert wrong > 0.05 * 60
