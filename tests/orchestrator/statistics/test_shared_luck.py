"""Coverage and false alarms where examples share the luck of a draw, in seeded simulations."""

import numpy as np
import pytest

from orchestrator.statistics.differences import paired_difference
from orchestrator.statistics.intervals import accuracy_interval
from orchestrator.statistics.shared_luck import SharedDraws, shared_luck
from orchestrator.statistics.verdict.attack_comparison import ALPHA, MARGIN
from orchestrator.statistics.verdict.paired import chance_of_gain
from tests.orchestrator.statistics import shared_draws

SHARED = [{"batch": None, "crafted_shared": 0.5}, {"batch": 50, "crafted_shared": 0.5}, {"batch": 50, "crafted_shared": 0.0}]
COUNTS = [(3, 4), (3, 1), (1, 8)]


@pytest.mark.parametrize("shared", SHARED, ids=str)
@pytest.mark.parametrize(("repeats", "draws"), COUNTS)
def test_intervals_cover_and_equal_attacks_raise_no_alarm(shared, repeats, draws):
    """Each run has examples of its own, so that the truth is that of all there could be. Alarms: what a check counts as a failure."""
    runs, luck = 300, SharedDraws(batch=shared["batch"], crafted=True)
    truth = shared_draws.SharedDraws(seed=0, examples=100_000, crafted_shared=shared["crafted_shared"]).truth
    covered, equal, alarms = 0, 0, 0
    for seed in range(runs):
        net = shared_draws.SharedDraws(seed=1000 + seed, **shared)
        one, other = (net.attack(repeats=repeats, draws=draws) for _ in range(2))
        _, low, high = accuracy_interval(one, luck)
        covered += low <= truth <= high
        _, low, high = paired_difference(one, other, (luck, luck))
        equal += low <= 0 <= high
        if one.mean() - other.mean() > MARGIN:
            alarms += chance_of_gain(list(one), list(other), batch=luck.batch) <= ALPHA
    assert covered / runs >= 0.93 - 0.015  # a standard error of so many runs
    assert equal / runs >= 0.93
    assert alarms / runs <= 0.01 + 0.005


@pytest.mark.parametrize("shared", SHARED, ids=str)
def test_an_attack_that_is_much_stronger_is_found(shared):
    """20 points more on 200 examples, in twelve repeats of one batch or three of four batches."""
    net = shared_draws.SharedDraws(seed=5, **shared)
    repeats = 12 if shared["batch"] is None else 3
    weak, strong = net.attack(repeats=repeats, draws=4), net.attack(repeats=repeats, draws=4, gain=2.0)
    assert chance_of_gain(list(weak), list(strong), batch=shared["batch"]) < 1e-3


def test_the_luck_of_batches_is_that_of_the_mean_over_them():
    """Four batches of which each moves as a whole: the mean of all has a quarter of one batch's variance, with four times the freedom."""
    by_batch = np.random.default_rng(0).standard_normal((2000, 4))
    shares = np.repeat(by_batch, 25, axis=1)
    luck = shared_luck(shares, SharedDraws(batch=25), repeats=2000)
    assert luck.variance * 2000 == pytest.approx(shares.mean(axis=1).var(), rel=0.05)
    assert luck.freedom == pytest.approx(4 * 1999)


def test_a_last_batch_that_is_smaller_counts_by_its_examples():
    shares = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    luck = shared_luck(shares, SharedDraws(batch=2), repeats=2)
    assert luck.variance == pytest.approx(0.5 * (2 / 3) ** 2 / 2)
    assert 1 < luck.freedom < 2


def test_one_repeat_shows_the_luck_of_its_draws_and_that_of_its_crafting_counts_as_one_draw_more():
    shares = np.random.default_rng(1).random((8, 30))
    drawn = shared_luck(shares, SharedDraws(), repeats=1)
    assert shared_luck(shares, SharedDraws(crafted=True), repeats=1).variance == pytest.approx(9 * drawn.variance)
    assert shared_luck(shares, SharedDraws(crafted=True), repeats=8) == drawn
    assert shared_luck(shares[:1], SharedDraws(crafted=True), repeats=1).variance == 0
