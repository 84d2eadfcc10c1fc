"""The worst of several attacks, and the survivors of one."""

import numpy as np
import pytest

from workers.measure.cascade import among_all, worst_attack


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
