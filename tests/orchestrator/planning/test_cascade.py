"""A suite of attacks in a space: which jobs it is, and what they share."""

import re

import pytest

from orchestrator.planning.expand import count, expand_space
from search_spaces import parse_space
from workers.errors import UserError

SPACE = """
data: {{name: digits}}
model: {{theta: {theta}}}
training: {{epochs: 1}}
evaluation: {{examples: 20, draws: {draws}, repeats: 2}}
attacks: [{attacks}]
"""
STANDARD = "{attack: autoattack, epsilon: 8/255}"


def planned(attacks=STANDARD, *, theta=1.0, draws=1):
    return parse_space(SPACE.format(theta=theta, draws=draws, attacks=attacks), label="x", stem="x")


def of_attacks(space):
    return [job for job in expand_space(space) if job.stage == "attack" and job.spec.repeat == 0]


def test_on_a_deterministic_model_each_attack_has_the_survivors_of_the_one_before_it():
    *parts, suite = jobs = of_attacks(planned())
    assert [job.spec.attack.name for job in jobs] == ["apgd_ce", "apgd_t", "fab_t", "square", "autoattack"]
    assert [job.parents.get("survivors") for job in jobs] == [None, *(job.key for job in parts)]
    assert [job.spec.after for job in jobs] == ["", "apgd_ce", "apgd_ce, apgd_t", "apgd_ce, apgd_t, fab_t", ""]
    assert all(job.spec.attack.early_stop for job in parts)
    assert [job.spec.attack.steps for job in parts] == [100, 100, 100, 5000]
    assert parts[-1].spec.attack.settings.schedule == "paper"
    assert set(suite.parents) == {"model", "survivors"}


def test_a_suite_shares_its_first_attack_with_who_asks_for_that_alone():
    alone = of_attacks(planned("{attack: apgd_ce, epsilon: 8/255, early_stop: true}"))
    assert alone[0].key == of_attacks(planned())[0].key


def test_plus_has_the_official_attacks_and_restarts():
    parts = of_attacks(planned("{attack: autoattack, version: plus, epsilon: 8/255}"))[:-1]
    names = [(job.spec.attack.name, job.spec.attack.restarts) for job in parts]
    assert names == [("apgd_ce", 5), ("apgd_dlr", 5), ("fab", 5), ("square", 1), ("apgd_t", 1), ("fab_t", 1)]


def test_on_a_randomised_model_every_attack_is_run_on_all_examples_with_fresh_draws():
    attack = "{attack: autoattack, version: rand, epsilon: 8/255, knowledge: eot, eot_samples: 20}"
    *parts, suite = of_attacks(planned(attack, theta=0.9, draws=4))
    assert [job.spec.attack.name for job in parts] == ["apgd_ce", "apgd_dlr"]
    assert all(set(job.parents) == {"model"} and job.spec.attack.eot_samples == 20 and not job.spec.attack.early_stop for job in parts)
    assert {role: key for role, key in suite.parents.items() if role != "model"} == {job.spec.attack.name: job.key for job in parts}


def test_queries_are_no_gradients_to_average():
    attack = "{attack: autoattack, epsilon: 8/255, knowledge: eot, eot_samples: 3}"
    found = {
        job.spec.attack.name: (job.spec.knowledge, job.spec.attack.eot_samples) for job in of_attacks(planned(attack, theta=0.9, draws=2))
    }
    assert (found["square"], found["apgd_t"]) == (("randomized", 1), ("eot", 3))


def test_one_draw_cannot_choose_and_score():
    with pytest.raises(
        UserError, match=r"^evaluation\.draws=1 with attack autoattack on a randomised model: some draws choose, others score; 2 or"
    ):
        expand_space(planned(theta=0.9))


def test_rand_without_averaged_gradients_is_one_line():
    with pytest.raises(
        UserError, match=re.escape("version=rand with knowledge=randomized: it averages gradients over draws; knowledge must be eot")
    ):
        planned("{attack: autoattack, version: rand, epsilon: 8/255}")


def test_crafted_examples_are_made_by_the_whole_suite_in_one_job():
    jobs = expand_space(planned("{attack: autoattack, epsilon: 8/255, knowledge: omniscient}", theta=0.9, draws=2))
    assert [job.spec.attack.name for job in jobs if job.stage in ("craft", "attack")] == ["autoattack"] * 3


def test_the_parts_are_counted_before_they_are_made():
    space = planned()
    (grid,) = space.grids
    assert count(grid) >= len(expand_space(space)) - 1


def test_an_attack_that_takes_no_target_is_told_by_name():
    with pytest.raises(UserError, match="attack fab is untargeted; leave target out"):
        planned("{attack: fab, epsilon: 8/255, target: next}")
