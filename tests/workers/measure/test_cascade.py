"""The worst of several attacks, and the survivors of one."""

import numpy as np
import pytest

from workers.artifacts.per_example import PerExample
from workers.measure.cascade import among_all, most_harmful, numbers_among_all, worst_attack, worst_numbers


def test_without_draws_an_example_is_right_only_under_all_attacks():
    one, other = np.array([[True, True, False]]), np.array([[True, False, True]])
    assert worst_attack([one, other]).tolist() == [[True, False, False]]


def test_those_that_were_fooled_before_stay_fooled():
    left = np.array([True, False, True, True])
    assert among_all(np.array([[True, False, True]]), left).tolist() == [[True, False, False, True]]


@pytest.mark.parametrize("draws", [2, 5])
@pytest.mark.parametrize("attacks", [2, 6])
def test_among_equally_strong_attacks_luck_is_not_rewarded(draws, attacks):
    random = np.random.default_rng(0)
    flags = random.random((attacks, draws, 20_000)) < 0.4
    assert worst_attack(list(flags)).mean() == pytest.approx(0.4, abs=0.008)


def test_the_attack_that_is_stronger_on_an_example_is_chosen_there():
    random = np.random.default_rng(0)
    weak, strong = random.random((8, 4000)) < 0.9, random.random((8, 4000)) < 0.1
    first, second = np.where(np.arange(4000) < 2000, strong, weak), np.where(np.arange(4000) < 2000, weak, strong)
    assert worst_attack([first, second]).mean() < 0.12


def test_numbers_of_survivors_are_put_among_those_of_the_attack_before_where_these_are_known():
    before = PerExample.pack(np.array([1, 2, 3]), np.array([-1.0, 2.0, 3.0]), np.array([0.25, 0.5, 0.75]))
    found = PerExample.pack(np.array([7, 8]), np.array([-2.0, 4.0]), np.array([0.125, np.inf]))
    left = np.array([False, True, True])
    classes, margins, sizes = numbers_among_all(found, before, left).arrays
    assert (classes.tolist(), margins.tolist(), sizes.tolist()) == ([1, 7, 8], [-1.0, -2.0, 4.0], [0.25, 0.125, np.inf])
    assert numbers_among_all(found, None, left) is None
    assert worst_numbers([left[None]] * 2, [before, None]) is None


def test_the_most_harmful_attack_leaves_the_least_share_right_then_the_smallest_margin():
    flags = [np.array([[True, True, False]]), np.array([[False, True, False], [True, True, False]])]
    assert most_harmful(flags, [np.array([1.0, 1.0, -1.0]), np.array([1.0, 0.5, np.nan])]).tolist() == [1, 1, 1]
    assert most_harmful(flags, [None, np.array([0.0, 0.0, 0.0])]).tolist() == [1, 1, 1]
    assert most_harmful(flags, [np.array([0.0, 0.0, 0.0]), None]).tolist() == [1, 0, 0]
