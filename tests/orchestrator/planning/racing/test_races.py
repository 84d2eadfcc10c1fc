"""Races of a space: their jobs, what is shared by key, the plan's upper bound, and that a race that is begun anew decides the same."""

import itertools

import numpy as np
import pytest

from orchestrator.planning.expand import count, expand_space
from orchestrator.planning.racing.raced_attacks import raced_attacks
from orchestrator.planning.racing.races import Races
from search_spaces import SpaceError, parse_space
from workers.spec.job import shard_roles

SPACE = """
data: {{name: digits}}
model: {{theta: [1.0, 0.9]{model}}}
training: {{epochs: 1}}
evaluation: {{examples: {examples}, batch_size: 10, draws: 1{evaluation}}}
attacks:
  - {{attack: [fgsm, pgd], epsilon: [8/255, 16/255]{attack}}}
  - {{attack: pgd, epsilon: 8/255, knowledge: omniscient}}
{racing}
"""


def space(racing="racing: {shard: 20}", *, examples=200, evaluation="", attack="", model=""):
    text = SPACE.format(racing=racing, examples=examples, evaluation=evaluation, attack=attack, model=model)
    return parse_space(text, label="x", stem="x")


def outcomes_of(races, *, share):
    """Flags of every job: by its key a net with this share of right examples, an expensive attack leaving fewer."""

    def known(keys):
        jobs = {job.key: job for job in races.jobs}
        return {key: flags(jobs[key]) for key in keys}

    def flags(job):
        generator = np.random.default_rng(int(job.key[:8], 16))
        right = share[job.parents["model"]] - 0.1 * (job.spec.attack.name == "pgd")
        return generator.random((1, job.spec.evaluation.examples)) < right

    return known


@pytest.fixture(scope="module")
def share():
    models = dict.fromkeys(attack.model.key for attack in raced_attacks(space()))
    return dict(zip(models, (0.2, 0.9), strict=True))


def test_a_race_is_of_one_ball_and_one_knowledge():
    races = Races(raced_attacks(space()))
    found = [({each.asked.knowledge for each in race.attacks}, {each.asked.attack.epsilon for each in race.attacks}) for race in races.each]
    assert [(len(known), len(epsilons)) for known, epsilons in found] == [(1, 1)] * 3
    assert [len(race.attacks) for race in races.each] == [4, 4, 2]


@pytest.mark.parametrize(("draws", "batch"), [("batch", 10), ("example", None)])
def test_examples_of_a_batch_count_as_one_only_where_they_share_a_draw(draws, batch):
    attacks = raced_attacks(space(model=f", draws: {draws}"))
    assert {attack.batch for attack in attacks if attack.model.spec.model.theta < 1} == {batch}
    assert {attack.batch for attack in attacks if attack.model.spec.model.theta == 1} == {None}


def test_models_and_clean_evaluations_are_ordinary_jobs_in_the_order_of_the_race():
    jobs = expand_space(space())
    assert {job.stage for job in jobs} == {"pretrain", "fine_tune", "evaluate"}
    assert {job.spec.evaluation.order for job in jobs if job.stage == "evaluate"} == {"random"}


def test_a_loser_stops_early_and_the_whole_results_are_joined_of_the_others(share):
    races = Races(raced_attacks(space()))
    races.settle(outcomes_of(races, share=share))
    assert races.over
    left = {each.reason for race in races.each for each in race.race.entrants if share[each.model] == 0.2}
    assert left <= {"model beaten", "weaker attack"}
    joined = [job for job in races.jobs if shard_roles(job.parents)]
    assert {job.parents["model"] for job in joined} == {key for key, right in share.items() if right == 0.9}
    assert {job.spec.evaluation.examples for job in joined} == {200}
    assert {len(shard_roles(job.parents)) for job in joined} == {10}
    assert "stopped early" in races.summary()
    assert races.possible == []


def test_a_race_that_is_interrupted_at_any_shard_and_begun_anew_decides_the_same(share):
    whole = Races(raced_attacks(space()))
    whole.settle(outcomes_of(whole, share=share))
    stops = [race.race.rules.shards for race in whole.each]
    for calls in (1, 3, max(stops)):
        begun = Races(raced_attacks(space()))
        known, seen, asked = outcomes_of(begun, share=share), {}, itertools.count(1)

        def remember(keys, known=known, seen=seen, calls=calls, asked=asked):
            seen.update(known(keys) if next(asked) <= calls else {})
            return seen

        begun.settle(remember)
        resumed = Races(raced_attacks(space()))
        resumed.settle(lambda keys, seen=seen: {key: seen[key] for key in keys if key in seen})
        assert {job.key for job in resumed.jobs} == {job.key for job in begun.jobs}
        resumed.settle(outcomes_of(resumed, share=share))
        assert [job.key for job in resumed.jobs] == [job.key for job in whole.jobs]


def test_shards_are_shared_by_key_with_a_race_of_other_rules():
    raced = {job.key for job in Races(raced_attacks(space())).jobs}
    other = Races(raced_attacks(space("racing: {shard: 20, among: none, precision: 3}")))
    assert raced & {job.key for job in other.jobs}
    assert all(job.key in {one.key for one in other.possible} for job in Races(raced_attacks(space())).possible)


def test_a_plan_has_all_that_a_race_may_cost():
    found = space()
    races = Races(raced_attacks(found))
    assert len(races.possible) == 8 * (10 + 1) + 2 * (2 * 10 + 1)
    assert "100 % of the passes" in races.at_most()
    assert count(found.grids[0]) >= sum(job.stage == "attack" for job in races.possible)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"racing": "racing: {shard: 15}"}, "must be multiples of evaluation.batch_size"),
        ({"examples": "null"}, "needs evaluation.examples"),
        ({"evaluation": ", order: file"}, "must be random"),
        ({"attack": ", keep_examples: 2"}, "keep_examples"),
        ({"racing": "racing: {precision: 0}"}, "racing.precision"),
        ({"racing": "racing: {among: nets}"}, "racing.among"),
    ],
)
def test_what_cannot_race_is_said(given, message):
    with pytest.raises(SpaceError, match=message):
        space(**given)
