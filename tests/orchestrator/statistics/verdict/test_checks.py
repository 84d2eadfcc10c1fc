from dataclasses import replace

import numpy as np
import pytest

from orchestrator.statistics.verdict import AttackEvidence, judge, reasons
from orchestrator.statistics.verdict.checks import (
    check_black_box,
    check_enough,
    check_eot,
    check_epsilons,
    check_gradients,
    check_more_steps,
    check_other_loss,
    check_queries,
    check_single_step,
    check_smoothed,
    check_step_sizes,
    check_together,
    check_unbounded,
)
from tests.orchestrator.statistics.verdict.evidence import N, attack_evidence, evidence, leaving

PGD = attack_evidence("pgd", 0.4)
SOUND = (
    attack_evidence("noise", 0.9),
    attack_evidence("fgsm", 0.5),
    PGD,
    attack_evidence("pgd", 0.39, steps=60),
    attack_evidence("pgd", 0.4, loss="margin"),
    attack_evidence("apgd_ce", 0.38, steps=60),
    attack_evidence("smoothed_pgd", 0.42),
    attack_evidence("square", 0.62, steps=500),
    attack_evidence("square", 0.6, steps=1000),
    attack_evidence("pgd", 0.0, epsilon=0.5),
)


def test_a_model_that_passes_every_check_is_sound():
    judgement = judge(evidence(*SOUND))
    assert {check.outcome for check in judgement.checks} == {"passed"}
    assert (judgement.verdict, reasons(judgement.checks)) == ("sound", ())


def test_a_model_without_diagnosis_is_suspicious_and_the_reasons_say_what_to_add():
    judgement = judge(evidence(attack_evidence("pgd", 0.4), zero=None))
    assert judgement.verdict == "suspicious"
    assert all("not made" in reason and "`diagnosis: {}`" in reason for reason in reasons(judgement.checks))
    assert len(reasons(judgement.checks)) == 8


def test_what_an_attack_needs_to_be_compared_is_said():
    few, more = (attack_evidence("pgd", 0.4, steps=steps) for steps in (5, 9))
    reason = check_more_steps(evidence(few, more)).reason
    assert reason.startswith("one attack of 10 steps or more, and with more of them or restarts, on 35 examples or more: missing")


def test_one_failed_check_is_enough_and_comes_first_among_the_reasons():
    judgement = judge(evidence(*SOUND, attack_evidence("square", 0.1, steps=300), zero=0.01))
    assert judgement.verdict == "unsound"
    assert [reason.split(":")[0] for reason in reasons(judgement.checks)] == ["black_box failed", "gradients suspicious"]


@pytest.mark.parametrize(
    ("zero", "nonfinite", "outcome"), [(0, 0, "passed"), (0.02, 0, "suspicious"), (0.06, 0, "failed"), (0, 0.01, "failed")]
)
def test_examples_without_a_useful_gradient_were_not_attacked(zero, nonfinite, outcome):
    check = check_gradients(evidence(zero=zero, nonfinite=nonfinite))
    assert check.outcome == outcome
    assert (check.numbers["zero"], check.numbers["nonfinite"]) == (zero, nonfinite)


def test_an_attack_that_came_to_nothing_fails_the_check_of_gradients():
    check = check_gradients(evidence(failures=("pgd: it is not finite",)))
    assert (check.outcome, check.reason) == ("failed", "an attack stopped with an error: pgd: it is not finite")


@pytest.mark.parametrize(("left", "outcome"), [(0.5, "passed"), (0.36, "passed"), (0.3, "failed")])
def test_one_step_must_not_beat_many(left, outcome):
    assert check_single_step(evidence(PGD, attack_evidence("fgsm", left))).outcome == outcome


def test_one_step_is_measured_against_the_strongest_iterative_attack():
    stronger = attack_evidence("pgd", 0.2, steps=60)
    assert check_single_step(evidence(PGD, stronger, attack_evidence("fgsm", 0.3))).outcome == "passed"


def test_an_attack_of_two_steps_or_one_that_cannot_cross_its_ball_is_no_measure():
    """At epsilon 2/255 the paper's rule takes two steps of 1/255 from a random start: FGSM rightly beats that."""
    weak = attack_evidence("pgd", 0.4, epsilon=2 / 255, steps=2, abs_stepsize=1 / 255)
    short = attack_evidence("pgd", 0.4, epsilon=2 / 255, steps=20, abs_stepsize=0.1 / 255)
    assert check_single_step(evidence(weak, short, attack_evidence("fgsm", 0.1, epsilon=2 / 255))).outcome == "not made"


@pytest.mark.parametrize("attack", [{"attack": "square"}, {"attack": "noise"}, {"attack": "bim", "knowledge": "transfer"}])
@pytest.mark.parametrize(("left", "outcome"), [(0.6, "passed"), (0.3, "failed")])
def test_an_attacker_without_gradients_must_not_beat_one_with_them(attack, left, outcome):
    named = dict(attack)
    assert check_black_box(evidence(PGD, attack_evidence(named.pop("attack"), left, **named))).outcome == outcome


@pytest.mark.parametrize(("left", "outcome"), [(0.38, "passed"), (0.3, "suspicious"), (0.1, "failed")])
@pytest.mark.parametrize("effort", [{"steps": 60}, {"restarts": 5}])
def test_more_steps_or_restarts_must_not_gain_any_more(effort, left, outcome):
    assert check_more_steps(evidence(PGD, attack_evidence("pgd", left, **effort))).outcome == outcome


def test_only_the_last_gain_of_more_steps_counts():
    """A short attack and two long ones that agree: the long ones are what the figures rest on."""
    assert (
        check_more_steps(evidence(attack_evidence("pgd", 0.8, steps=10), PGD, attack_evidence("pgd", 0.39, steps=60))).outcome == "passed"
    )


@pytest.mark.parametrize(("left", "outcome"), [(0.38, "passed"), (0.3, "suspicious"), (0.1, "failed")])
def test_another_loss_must_not_find_what_the_cross_entropy_does_not(left, outcome):
    assert check_other_loss(evidence(PGD, attack_evidence("pgd", left, loss="margin"))).outcome == outcome
    assert check_other_loss(evidence(attack_evidence("apgd_ce", 0.4), attack_evidence("apgd_dlr", left))).outcome == outcome


@pytest.mark.parametrize(("left", "outcome"), [(0.38, "passed"), (0.3, "suspicious"), (0.1, "failed")])
@pytest.mark.parametrize("knowledge", ["eot", "omniscient"])
def test_figures_of_an_attacker_who_does_not_average_mislead_where_one_who_does_is_stronger(knowledge, left, outcome):
    attacks = attack_evidence("pgd", 0.4, rows=10), attack_evidence("pgd", left, knowledge=knowledge, eot_samples=10, rows=10)
    assert check_eot(evidence(*attacks, randomised=True)).outcome == outcome


def test_where_nothing_is_random_there_is_nothing_to_average():
    assert check_eot(evidence(*SOUND)) is None


def test_on_a_randomised_model_the_adaptive_attacker_is_a_white_box_one():
    plain, eot, square = (
        attack_evidence("pgd", 0.6, rows=10),
        attack_evidence("pgd", 0.2, knowledge="eot", rows=10),
        attack_evidence("square", 0.4, rows=10),
    )
    assert check_black_box(evidence(plain, square, randomised=True)).outcome == "failed"
    assert check_black_box(evidence(plain, eot, square, randomised=True)).outcome == "passed"


@pytest.mark.parametrize(("left", "outcome"), [(0.0, "passed"), (0.08, "suspicious"), (0.2, "failed")])
def test_an_attack_that_may_erase_the_input_must_leave_next_to_nothing(left, outcome):
    assert check_unbounded(evidence(PGD, attack_evidence("pgd", left, epsilon=0.5))).outcome == outcome


@pytest.mark.parametrize(("n_classes", "outcome"), [(2, "suspicious"), (10, "failed"), (100, "failed"), (None, "not made")])
def test_what_guessing_leaves_right_depends_on_the_number_of_classes(n_classes, outcome):
    found = evidence(PGD, attack_evidence("pgd", 0.4, epsilon=0.5), n_classes=n_classes)
    assert check_unbounded(found).outcome == outcome


def test_an_unknown_input_range_leaves_the_check_without_bounds_unmade():
    found = evidence(PGD, attack_evidence("pgd", 0.0, epsilon=0.5), half_range=None)
    assert check_unbounded(found).outcome == "not made"
    assert judge(found).verdict == "suspicious"


def test_attacks_are_told_apart_by_their_facts_whatever_they_are_called():
    renamed = {"attack": "mine", "settings": {}, "random_start": False}
    single = replace(attack_evidence("fgsm", 0.3), **renamed, one_step=True, gradients=True)
    blind = replace(attack_evidence("noise", 0.3), **renamed, one_step=False, gradients=False)
    unknown = replace(attack_evidence("noise", 0.1), **renamed, one_step=None, gradients=None, loss=None)
    assert check_single_step(evidence(PGD, single)).outcome == "failed"
    assert check_black_box(evidence(PGD, blind)).outcome == "failed"
    for check in (check_single_step, check_black_box):
        assert check(evidence(PGD, unknown)).outcome == "not made"


def test_a_larger_epsilon_must_not_leave_more_right():
    sixteen = {"epsilon": 16 / 255}
    assert check_epsilons(evidence(PGD, attack_evidence("pgd", 0.2, **sixteen))).outcome == "passed"
    assert check_epsilons(evidence(PGD, attack_evidence("pgd", 0.6, **sixteen))).outcome == "failed"
    assert check_epsilons(evidence(PGD, attack_evidence("fgsm", 0.6, **sixteen))) is None


@pytest.mark.parametrize(
    "other",
    [
        {"place": "elsewhere"},
        {"epsilon": 4 / 255},
        {"norm": "l2"},
        {"target": "next"},
        {"n": 30},
    ],
    ids=lambda other: next(iter(other)),
)
def test_only_attacks_on_the_same_examples_with_the_same_goal_are_compared(other):
    assert check_black_box(evidence(PGD, attack_evidence("square", 0.0, **other))).outcome == "not made"


def test_a_randomised_model_is_not_judged_by_one_or_two_evaluations():
    few = evidence(attack_evidence("pgd", 0.4, rows=2), attack_evidence("square", 0.1, rows=2), randomised=True)
    assert check_black_box(few).outcome == "not made"


def test_a_gain_that_chance_explains_is_let_pass_and_said():
    """Six points more on a hundred examples, among differences in both directions."""
    reference = leaving(0.4)
    challenger = reference.copy()
    challenger[:, :23], challenger[:, 40:57] = False, True
    check = check_black_box(evidence(attack_evidence("pgd", reference), attack_evidence("square", challenger)))
    assert (check.outcome, check.numbers["gain"]) == ("passed", pytest.approx(0.06))
    assert check.numbers["p"] > 0.01
    assert "may be chance" in check.reason


def test_many_comparisons_ask_for_stronger_proof():
    reference, challenger = leaving(0.4), leaving(0.4)
    challenger[:, 33:40] = False
    pair = attack_evidence("pgd", reference), attack_evidence("square", challenger)
    assert check_black_box(evidence(*pair)).outcome == "failed"
    others = [attack_evidence(name, 0.5, place=place) for place in range(9) for name in ("pgd", "square")]
    assert check_black_box(evidence(*pair, *others)).outcome == "passed"


def test_flags_stay_where_they_are_unless_a_gain_is_worth_a_test():
    def refuse() -> np.ndarray:
        raise AssertionError("flags were asked for")

    attacks = [
        attack_evidence(item.attack, item.flags[0], steps=item.steps, epsilon=item.epsilon, loss=item.loss, load=refuse) for item in SOUND
    ]
    assert judge(evidence(*attacks)).verdict == "sound"


def test_a_check_says_what_it_rests_on():
    check = check_black_box(evidence(PGD, attack_evidence("square", 0.1, steps=200)))
    assert check.numbers == {
        "reference": 0.4,
        "challenger": 0.1,
        "gain": pytest.approx(0.3),
        "examples": 100,
        "comparisons": 1,
        "p": pytest.approx(0.5**30),
    }
    assert check.reason == "square 8/255, 200 steps, leaves 10.0 % right; pgd 8/255, 20 steps, 40.0 %"


@pytest.mark.parametrize(("left", "outcome"), [(0.38, "passed"), (0.3, "suspicious"), (0.1, "failed")])
def test_gradients_smoothed_over_noise_must_not_beat_exact_ones(left, outcome):
    assert check_smoothed(evidence(PGD, attack_evidence("smoothed_pgd", left))).outcome == outcome


def test_a_smoothed_attack_is_no_measure_of_what_gradients_find():
    """Else the attack that unmasks a net would hide that the others were fooled."""
    smoothed, square = attack_evidence("smoothed_pgd", 0.1), attack_evidence("square", 0.1)
    assert check_black_box(evidence(PGD, smoothed, square)).outcome == "failed"


@pytest.mark.parametrize(("left", "outcome"), [(0.38, "passed"), (0.3, "suspicious"), (0.1, "failed")])
def test_an_attack_that_chooses_its_step_sizes_must_not_beat_those_of_a_fixed_one(left, outcome):
    assert check_step_sizes(evidence(PGD, attack_evidence("apgd_ce", left))).outcome == outcome
    assert check_step_sizes(evidence(PGD)) is None


def probes(left: int, each: int) -> list[AttackEvidence]:
    """PGD, which leaves so many right, and two attacks that do too, but fool `each` examples that none of the others does."""
    places = np.arange(N)
    found = {"pgd": places < left}
    for turn, attack in enumerate(("apgd_ce", "square")):
        alone = (places >= turn * each) & (places < (turn + 1) * each)
        found[attack] = (places < left) & ~alone | (places >= left) & (places < left + each)
    return [attack_evidence(attack, right[None], probe=True) for attack, right in found.items()]


@pytest.mark.parametrize(
    ("left", "each", "outcome"), [(60, 2, "passed"), (60, 4, "noted"), (60, 15, "noted"), (14, 4, "suspicious"), (9, 3, "noted")]
)
def test_attacks_that_alone_are_no_stronger_than_pgd_must_not_be_together(left, each, outcome):
    """It is in doubt where most of what PGD leaves falls, beyond chance; else the verdict stands, and says what PGD alone is worth."""
    found = evidence(*SOUND, *(replace(item, place="diagnosis") for item in probes(left, each)))
    judgement = judge(found)
    (check,) = (check for check in judgement.checks if check.name == "together")
    assert (check.outcome, check.numbers["gain"]) == (outcome, pytest.approx(2 * each / N))
    assert f"all together 8/255, leaves {left - 2 * each}.0 % right; pgd 8/255, 20 steps, {left}.0 %" in check.reason
    assert {other.outcome for other in judgement.checks if other != check} == {"passed"}
    assert judgement.verdict == ("suspicious" if outcome == "suspicious" else "sound")
    assert reasons(judgement.checks) == (() if outcome == "passed" else (f"together {outcome}: {check.reason}",))


def test_only_attacks_of_one_effort_are_put_together_and_none_on_a_model_that_draws():
    assert check_together(evidence(*probes(14, 4), randomised=True)) is None
    assert check_together(evidence(*(replace(item, probe=False) for item in probes(14, 4)))) is None
    assert check_together(evidence(*probes(14, 4)[1:])) is None


@pytest.mark.parametrize(("longer", "outcome"), [(0.88, "passed"), (0.8, "suspicious"), (0.6, "suspicious")])
def test_square_that_still_gains_by_more_queries_may_yet_overtake_the_others(longer, outcome):
    searches = attack_evidence("square", 0.9, steps=500), attack_evidence("square", longer, steps=1000)
    assert check_queries(evidence(PGD, *searches)).outcome == outcome


def test_where_gradients_leave_next_to_nothing_there_is_nothing_that_square_could_find():
    searches = attack_evidence("square", 0.9, steps=500), attack_evidence("square", 0.3, steps=1000)
    assert check_queries(evidence(attack_evidence("pgd", 0.03), *searches)) is None
    assert check_queries(evidence(PGD, searches[0])) is None


@pytest.mark.parametrize(("n", "queries", "outcome"), [(100, 1000, "passed"), (99, 5000, "not made"), (400, 999, "not made")])
def test_a_model_is_sound_only_where_enough_was_looked_at(n, queries, outcome):
    check = check_enough(evidence(attack_evidence("square", 0.6, steps=queries, n=n)))
    assert (check.outcome, check.numbers) == (outcome, {"examples": n, "queries": queries})


def test_too_little_looked_at_is_said_with_its_numbers():
    check = check_enough(evidence(attack_evidence("square", 0.6, steps=50, n=40)))
    assert check.reason == "too little looked at: 50 queries on 40 examples; sound takes 1,000 on 100 or more: `diagnosis: {}`"
    few = [item for item in SOUND if item.attack != "square"]
    judgement = judge(evidence(*few, attack_evidence("square", 0.6, steps=50)))
    assert (judgement.verdict, {check.name for check in judgement.checks if check.outcome == "not made"}) == ("suspicious", {"enough"})
