"""Coverage of confidence sequences over all numbers of values at once, in simulation."""

import numpy as np
import pytest

from orchestrator.statistics.confidence_sequence import drawn_values, is_surely_above, sequence_interval

LOOKS = (10, 25, 50, 100, 200, 400)


@pytest.mark.parametrize("share", [0.02, 0.4])
def test_an_interval_covers_at_every_look_at_once(share: float):
    missed = 0
    for seed in range(60):
        values = (np.random.default_rng(seed).random(LOOKS[-1]) < share).astype(float)
        missed += any(not low <= share <= high for _, low, high in (sequence_interval(values[:look]) for look in LOOKS))
    assert missed <= 0.05 * 60


@pytest.mark.parametrize("population", [None, 500])
def test_a_mean_that_is_not_above_is_rarely_said_to_be_whenever_one_looks(population: int | None):
    """A test of level 0.1 with a maximum over all numbers of values: of the finite population exactly half are 1."""
    wrong = 0
    for seed in range(300):
        generator = np.random.default_rng(seed)
        values = generator.permutation(np.arange(500) % 2).astype(float) if population else (generator.random(500) < 0.5).astype(float)
        wrong += is_surely_above(values[:400], 0.5, error_rate=0.1, population=population)
    assert wrong <= 0.1 * 300


def test_of_two_that_are_equal_on_all_examples_neither_is_often_said_to_be_better_whenever_one_looks():
    """Paired outcomes of attacks, most of them ties, of a population in which as many speak for the one as for the other."""
    differences = np.repeat([0.0, 0.5, 1.0], [20, 460, 20])
    wrong = 0
    for seed in range(300):
        values = np.random.default_rng(seed).permutation(differences)
        wrong += is_surely_above(values[:450], 0.5, error_rate=0.1, population=500)
    assert 0 < wrong <= 0.1 * 300


def test_all_values_of_a_finite_population_decide_every_difference():
    values = np.random.default_rng(0).permutation([1.0] * 51 + [0.0] * 49)
    assert is_surely_above(values, 0.5, error_rate=1e-6, population=100)
    assert not is_surely_above(values, 0.5, error_rate=1e-6)


def test_an_interval_is_half_as_wide_again_as_one_that_must_be_looked_at_once():
    values = (np.random.default_rng(1).random(4000) < 0.3).astype(float)
    mean, low, high = sequence_interval(values)
    assert low < mean < high
    assert 1 < (high - low) / (2 * 1.96 * np.sqrt(0.21 / 4000)) < 2


def test_what_shares_a_draw_counts_once():
    correct = np.zeros((2, 3, 10), dtype=bool)
    correct[:, :, :4] = True
    assert drawn_values(correct, batch=4).tolist() == [1, 0, 0]
    assert len(drawn_values(correct, batch=None)) == 10
