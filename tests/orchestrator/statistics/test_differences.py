"""The interval for the difference of two accuracies over the same examples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from orchestrator.statistics.differences import paired_difference


def flags(*examples: int) -> np.ndarray:
    return np.array(examples, dtype=bool)[None, None]


def test_one_evaluation_each_gives_the_published_interval() -> None:
    """Bonett & Price (2012): with n = 100 pairs, 20 of which only the second has right and 10 only the first, by their formula (6)."""
    before = flags(*[0] * 20, *[1] * 10, *[1] * 40, *[0] * 30)
    after = flags(*[1] * 20, *[0] * 10, *[1] * 40, *[0] * 30)
    gained, lost = 21 / 102, 11 / 102
    margin = 1.959963984540054 * np.sqrt((gained + lost - (gained - lost) ** 2) / 102)
    assert paired_difference(before, after) == pytest.approx((0.1, gained - lost - margin, gained - lost + margin))


def test_no_difference_on_few_examples_is_not_taken_for_none_on_all() -> None:
    same = flags(*[1, 0] * 10)
    difference, low, high = paired_difference(same, same)
    assert difference == 0
    assert low == pytest.approx(-high)
    assert 0.1 < high < 0.2
    many = np.tile(same, 100)
    assert paired_difference(many, many)[2] < 0.002


def test_pairing_makes_the_interval_narrower_than_that_of_two_independent_accuracies() -> None:
    generator = np.random.default_rng(0)
    easy = generator.random(400) < 0.5
    after = easy | (generator.random(400) < 0.05)
    _, low, high = paired_difference(easy[None, None], after[None, None])
    unpaired = 2 * 1.96 * np.sqrt(2 * 0.25 / 400)
    assert high - low < 0.5 * unpaired


def test_repeats_that_differ_as_a_whole_widen_the_interval() -> None:
    half = np.zeros((1, 1, 100), dtype=bool)
    half[..., ::2] = True
    steady = np.repeat(half, 4, axis=0)
    moody = np.stack([np.ones((1, 100)), np.zeros((1, 100))] * 2).astype(bool)
    narrow, wide = paired_difference(half, steady), paired_difference(half, moody)
    assert narrow[0] == wide[0] == 0
    assert wide[2] - wide[1] > 3 * (narrow[2] - narrow[1])


def test_other_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="2 examples before and 3 after"):
        paired_difference(flags(1, 0), flags(1, 0, 1))


SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=60, deadline=None)
@given(st.data(), SHAPES, SHAPES, st.integers(1, 8))
def test_the_interval_holds_the_difference_and_turns_over_with_the_sides(
    data: st.DataObject, left: tuple[int, int], right: tuple[int, int], examples: int
) -> None:
    before = data.draw(arrays.arrays(bool, (*left, examples)))
    after = data.draw(arrays.arrays(bool, (*right, examples)))
    difference, low, high = paired_difference(before, after)
    assert -1 <= low <= difference <= high <= 1
    assert difference == pytest.approx(after.mean() - before.mean())
    assert paired_difference(after, before) == pytest.approx((-difference, -high, -low))


def test_the_interval_covers_the_true_difference() -> None:
    """Two nets with three repeats each, whose draws move all examples of a repeat alike; the truth is 0 by symmetry."""
    generator = np.random.default_rng(1)

    def side(hard: np.ndarray) -> np.ndarray:
        moods = generator.normal(0, 0.5, (3, 1, 1))
        return np.asarray(generator.random((3, 2, 60)) < 1 / (1 + np.exp(-(hard + moods))))

    hits = 0
    for _ in range(300):
        hard = generator.normal(0, 2, 60)
        _, low, high = paired_difference(side(hard), side(hard))
        hits += low <= 0 <= high
    assert hits >= 0.91 * 300
