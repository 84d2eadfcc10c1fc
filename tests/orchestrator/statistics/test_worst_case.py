import numpy as np
import pytest

from orchestrator.statistics.intervals import accuracy_interval
from orchestrator.statistics.worst_case import ordered_scores, worst_case, worst_cases_of_each
from tests.orchestrator.statistics.shared_draws import SharedDraws


def flags(probabilities, *, repeats=1, draws=1, seed=0):
    """Evaluations of examples that are each classified right with their own probability."""
    generator = np.random.default_rng(seed)
    return generator.random((repeats, draws, len(probabilities))) < np.asarray(probabilities)


def test_on_a_deterministic_net_an_example_counts_that_no_attack_fooled_in_any_repeat():
    first = np.array([[[True, True, False, True]], [[True, False, True, True]]])
    second = np.array([[[True, True, True, False]]])
    assert worst_case([first, second], randomised=False).tolist() == [[[1.0, 0.0, 0.0, 0.0]]]


def test_one_attack_alone_scores_its_own_accuracy_on_a_randomised_net():
    alone = flags([0.3, 0.8] * 50, repeats=4, draws=2)
    assert worst_case([alone], randomised=True).mean() == pytest.approx(alone.mean())


def test_attacks_without_effect_do_not_make_a_randomised_net_look_weaker():
    """Each of ten useless attacks leaves a probability of 0.7: the least of ten noisy means would be far below."""
    attacks = [flags([0.7] * 4000, repeats=3, draws=4, seed=seed) for seed in range(10)]
    naive = np.min([attack.mean(axis=(0, 1)) for attack in attacks], axis=0).mean()
    assert naive < 0.5
    assert worst_case(attacks, randomised=True).mean() == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize(("repeats", "draws"), [(3, 4), (1, 8), (5, 1)])
def test_complementary_attacks_together_find_what_each_alone_misses(repeats, draws):
    """One attack breaks the first half of the examples, the other the second half."""
    one, other = [0.05] * 1000 + [0.95] * 1000, [0.95] * 1000 + [0.05] * 1000
    found = worst_case([flags(one, repeats=repeats, draws=draws), flags(other, repeats=repeats, draws=draws, seed=1)], randomised=True)
    assert found.shape == ((repeats, 1, 2000) if repeats > 1 else (1, draws, 2000))
    assert found.mean() == pytest.approx(0.05, abs=0.02)


def test_repeats_stay_together_so_that_an_attacks_own_luck_is_scored_on_another_run():
    """The draws of a repeat share its adversarial examples: with all of a repeat's draws alike, the fold must be the whole repeat."""
    lucky = np.zeros((2, 3, 1), dtype=bool)
    lucky[1] = True
    usual = np.ones((2, 3, 1), dtype=bool)
    assert worst_case([lucky, usual], randomised=True).ravel().tolist() == [0.5, 1.0]  # the second repeat shows no difference


@pytest.mark.parametrize("number", [2, 4, 10])
def test_no_luck_is_rewarded_however_many_equally_strong_attacks_there_are(number):
    """The least of the attacks' means is 1 to 3 points too low at three repeats of four draws, which a whole batch shares."""
    equal = SharedDraws(seed=number)
    runs = [[equal.attack(repeats=3, draws=4) for _ in range(number)] for _ in range(150)]
    assert np.mean([min(flags.mean() for flags in attacks) for attacks in runs]) < equal.truth - 0.009
    assert np.mean([worst_case(attacks, randomised=True).mean() for attacks in runs]) == pytest.approx(equal.truth, abs=0.006)


def test_eight_attacks_in_three_single_draws_are_scored_without_luck_and_the_interval_covers_the_truth():
    equal = SharedDraws(seed=8)
    found = [worst_case([equal.attack(repeats=3, draws=1) for _ in range(8)], randomised=True) for _ in range(200)]
    assert np.mean([scores.mean() for scores in found]) == pytest.approx(equal.truth, abs=0.006)
    covered = [low <= equal.truth <= high for _, low, high in map(accuracy_interval, found)]
    assert np.mean(covered) >= 0.93


def test_no_part_of_the_attacks_counts_stronger_than_all_of_them():
    equal = SharedDraws(seed=1)
    wholes, parts, crossed = [], [], 0
    for _ in range(150):
        attacks = {name: [equal.attack(repeats=3, draws=4) for _ in range(size)] for name, size in (("one", 1), ("two", 2), ("four", 4))}
        every = worst_case([flags for found in attacks.values() for flags in found], randomised=True)
        alone = {name: (worst_case(found, randomised=True), len(found)) for name, found in attacks.items()}
        crossed += any(scores.mean() < every.mean() for scores, _ in alone.values())
        whole, moved = ordered_scores(every, alone)
        assert all(whole.mean() <= scores.mean() for scores in moved.values())
        wholes.append(whole.mean())
        parts.append([scores.mean() for scores in moved.values()])
    assert crossed > 50
    assert np.mean(wholes) == pytest.approx(equal.truth, abs=0.006)
    assert np.mean(parts, axis=0) == pytest.approx([equal.truth] * 3, abs=0.008)


def test_scores_that_are_in_order_stay_as_they_are():
    whole, part = np.full((2, 1, 3), 0.5), np.full((3, 1, 3), 0.6)
    ordered, moved = ordered_scores(whole, {"eot": (part, 2)})
    assert (ordered is whole, moved["eot"] is part) == (True, True)


def test_the_ensemble_is_as_strong_as_its_strongest_attack_where_that_is_the_strongest_everywhere():
    strong = flags([0.2] * 2000, repeats=3)
    weak = [flags([0.35] * 2000, repeats=3, seed=seed) for seed in range(1, 8)]
    assert worst_case([strong, *weak], randomised=True).mean() == pytest.approx(strong.mean(), abs=0.01)


def test_attacks_evaluated_a_different_number_of_times_can_be_compared():
    found = worst_case([flags([0.2] * 500, repeats=5, draws=2), flags([0.6] * 500, repeats=2, draws=4, seed=1)], randomised=True)
    assert found.shape == (2, 1, 500)
    assert found.mean() == pytest.approx(0.2, abs=0.05)


def test_a_single_evaluation_of_a_randomised_net_has_no_worst_case():
    assert worst_case([flags([0.5] * 10), flags([0.5] * 10, repeats=3)], randomised=True) is None


def test_nothing_is_chosen_of_one_attack_so_that_a_single_evaluation_scores_it():
    alone = flags([0.5] * 10)
    assert np.array_equal(worst_case([alone], randomised=True), alone)


@pytest.mark.parametrize("attacks", [[], [np.ones((1, 1, 3), dtype=bool), np.ones((1, 1, 4), dtype=bool)]])
def test_attacks_on_other_examples_are_refused(attacks):
    with pytest.raises(ValueError, match="over the same examples"):
        worst_case(attacks, randomised=False)


def test_attacks_on_the_first_examples_alone_count_there_and_nowhere_else():
    attack, more = np.ones((1, 1, 5), dtype=bool), np.array([[[True, False, True]]])
    assert worst_case([attack], randomised=False, more=[more]).tolist() == [[[1.0, 0.0, 1.0, 1.0, 1.0]]]
    wider = np.array([[[True, True, True, True, False, False]]])
    assert worst_case([attack], randomised=False, more=[more, wider]).tolist() == [[[1.0, 0.0, 1.0, 1.0, 0.0]]]


@pytest.mark.parametrize(("repeats", "draws"), [(3, 4), (1, 8)])
def test_on_a_randomised_net_a_stronger_attack_on_the_first_examples_is_found_without_a_change_to_the_others(repeats, draws):
    attack = flags([0.6] * 1000, repeats=repeats, draws=draws)
    more = flags([0.1] * 400, draws=10, seed=1)
    found = worst_case([attack], randomised=True, more=[more])
    assert found.shape == ((3, 1, 1000) if repeats > 1 else (1, 8, 1000))
    assert found[..., :400].mean() == pytest.approx(0.1, abs=0.02)
    assert found[..., 400:].mean() == pytest.approx(attack[..., 400:].mean())


def test_equally_strong_attacks_on_the_first_examples_are_no_luck_for_the_attacker():
    """All draws of such an attack share how its examples were crafted: where that differs not, nothing is gained."""
    equal = SharedDraws(seed=5, crafted=0.0)
    runs = [
        ([equal.attack(repeats=3, draws=4) for _ in range(2)], [equal.attack(repeats=1, draws=10)[..., :100] for _ in range(8)])
        for _ in range(150)
    ]
    found = [worst_case(attacks, randomised=True, more=more) for attacks, more in runs]
    assert np.mean([scores.mean() for scores in found]) == pytest.approx(equal.truth, abs=0.008)
    covered = [low <= equal.truth <= high for _, low, high in map(accuracy_interval, found)]
    assert np.mean(covered) >= 0.93


def test_one_draw_of_a_further_attack_says_nothing_of_a_randomised_net():
    attack = flags([0.6] * 50, repeats=3)
    assert np.array_equal(worst_case([attack], randomised=True, more=[np.zeros((1, 1, 50), dtype=bool)]), attack.astype(float))


def test_many_worst_cases_at_once_are_those_of_each_alone():
    generator = np.random.default_rng(2)
    measured = []
    for repeats, draws, examples in [(3, 2, 40), (1, 4, 40), (3, 2, 40), (2, 1, 7), (1, 1, 5)] * 4:
        attacks = [generator.random((repeats, draws, examples)) < share for share in generator.random(3)]
        more = [generator.random((1, 3, examples // 2 + 1)) < 0.5] if generator.random() < 0.5 else []
        measured.append((attacks, bool(generator.random() < 0.8), more))
    for found, (attacks, randomised, more) in zip(worst_cases_of_each(measured), measured, strict=True):
        np.testing.assert_array_equal(found, worst_case(attacks, randomised=randomised, more=more))
