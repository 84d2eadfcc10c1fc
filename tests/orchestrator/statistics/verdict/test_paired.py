from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from orchestrator.statistics.verdict import paired


def chance_of_gain(reference, challenger, **more):
    """The chance of a gain in one repeat."""
    return paired.chance_of_gain([reference], [challenger], **more)


def one_row(right):
    return np.array([right], dtype=bool)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 20))
def test_with_one_row_each_it_is_mcnemars_exact_test(found, lost, equal):
    reference = one_row([True] * found + [False] * lost + [True] * equal)
    challenger = one_row([False] * found + [True] * lost + [True] * equal)
    expected = binomtest(found, found + lost, alternative="greater").pvalue if found + lost else 1.0
    if found + lost + equal:
        assert chance_of_gain(reference, challenger) == pytest.approx(expected)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_with_several_rows_every_pattern_of_signs_is_counted(gains):
    """Three rows of the reference against three of a challenger who takes or gives so many of them."""
    reference = np.array([[row < max(gain, 0) for gain in gains] for row in range(3)])
    challenger = np.array([[row < max(-gain, 0) for gain in gains] for row in range(3)])
    as_large = sum(np.dot(signs, np.abs(gains)) >= sum(gains) for signs in product((-1, 1), repeat=len(gains))) / 2 ** len(gains)
    assert chance_of_gain(reference, challenger) >= as_large - 1e-9


def test_many_examples_are_tested_as_few_are():
    generator = np.random.default_rng(0)
    reference, challenger = one_row(generator.random(900) < 0.6), one_row(generator.random(900) < 0.55)
    found, lost = int((reference & ~challenger).sum()), int((challenger & ~reference).sum())
    assert found + lost > 400
    exact = binomtest(found, found + lost, alternative="greater").pvalue
    assert chance_of_gain(reference, challenger) == pytest.approx(exact, rel=0.15)


def test_a_gain_that_hangs_on_one_draw_counts_for_little():
    """Every example falls in one of three draws and in no other: 33 points on each of 100 examples, and one lucky draw."""
    reference, challenger = np.ones((3, 100), dtype=bool), np.ones((3, 100), dtype=bool)
    challenger[0] = False
    assert chance_of_gain(reference, challenger) > 0.1
    challenger[:, :34] = False
    challenger[0, 34:] = True
    assert chance_of_gain(reference, challenger) < 1e-6


def test_equal_attacks_gain_nothing():
    flags = one_row([True, False] * 10)
    assert chance_of_gain(flags, flags) == 1.0
    assert chance_of_gain(np.repeat(flags, 3, axis=0), np.repeat(flags, 2, axis=0)) == 1.0


def test_the_false_alarm_rate_is_what_it_says_for_draws_shared_by_all_examples():
    """Two equally strong attacks on a net whose draws make all examples easier or harder together."""
    generator = np.random.default_rng(1)

    def attacked():
        return generator.random((5, 100)) < 0.5 + 0.15 * generator.standard_normal((5, 1))

    alarms = np.mean([chance_of_gain(attacked(), attacked()) <= 0.05 for _ in range(400)])
    assert alarms <= 0.06


def test_other_examples_cannot_be_compared():
    with pytest.raises(ValueError, match=r"\(1, 3\) and \(1, 4\): must be over the same examples"):
        chance_of_gain(one_row([True] * 3), one_row([True] * 4))
