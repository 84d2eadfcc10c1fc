from collections.abc import Sequence
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from orchestrator.store import Spread, standard_errors

EXAMPLES = 150


def measured(rng: np.random.Generator, *, seeds: int, repeats: int, draws: int, luck: dict[str, float]) -> list[NDArray[np.bool_]]:
    """One array (repeats, draws, examples) per seed; `luck` holds the spread that each source adds to the chance of being right."""

    def normal(source: str, *shape: int) -> NDArray[np.float64]:
        return rng.normal(0.0, luck.get(source, 0.0), size=shape)

    chance = 0.5 + normal("examples", 1, 1, 1, EXAMPLES) + normal("seeds", seeds, 1, 1, 1) + normal("seed x example", seeds, 1, 1, EXAMPLES)
    chance = chance + normal("repeats", seeds, repeats, 1, 1) + normal("draws", seeds, repeats, draws, 1)
    return list(rng.random((seeds, repeats, draws, EXAMPLES)) < chance)


def mean_square(found: Sequence[Spread], part: str) -> float:
    return sqrt(np.mean([getattr(spread, part) ** 2 for spread in found]))


def true_errors(*, seeds: int, repeats: int, draws: int, luck: dict[str, float]) -> dict[str, float]:
    """How much of the variance of the mean each source makes, by its definition."""
    variances = {name: luck.get(name, 0.0) ** 2 for name in ("examples", "seeds", "seed x example", "repeats", "draws")}
    flips = 0.25 - variances["examples"] - sum(variances[name] for name in ("seeds", "seed x example", "repeats", "draws"))
    drawn = variances["repeats"] / repeats + (variances["draws"] + flips / EXAMPLES) / (repeats * draws)
    trained = variances["seeds"] + variances["seed x example"] / EXAMPLES
    return {"se_examples": sqrt(variances["examples"] / EXAMPLES), "se_draws": sqrt(drawn / seeds), "se_seeds": sqrt(trained / seeds)}


@pytest.mark.parametrize(
    "luck",
    [
        {"examples": 0.15},
        {"examples": 0.1, "draws": 0.05},
        {"examples": 0.1, "repeats": 0.05, "draws": 0.02},
        {"examples": 0.05, "repeats": 0.1},
    ],
)
@pytest.mark.parametrize(("repeats", "draws"), [(3, 4), (10, 1)])
def test_examples_and_draws_have_the_parts_that_they_make(luck: dict[str, float], repeats: int, draws: int) -> None:
    rng = np.random.default_rng(0)
    shape = {"seeds": 1, "repeats": repeats, "draws": draws, "luck": luck}
    found = [standard_errors(measured(rng, **shape), random=True) for _ in range(600)]  # type: ignore[arg-type]
    expected = true_errors(**shape)  # type: ignore[arg-type]
    for part in ("se_examples", "se_draws"):
        assert mean_square(found, part) == pytest.approx(expected[part], rel=0.1)
    assert {spread.se_seeds for spread in found} == {None}


def test_a_single_repeats_draws_tell_what_draws_do() -> None:
    rng, luck = np.random.default_rng(0), {"examples": 0.15, "draws": 0.05}
    found = [standard_errors(measured(rng, seeds=1, repeats=1, draws=8, luck=luck), random=True) for _ in range(600)]
    expected = true_errors(seeds=1, repeats=1, draws=8, luck=luck)
    for part in ("se_examples", "se_draws"):
        assert mean_square(found, part) == pytest.approx(expected[part], rel=0.1)


@pytest.mark.parametrize(
    "luck", [{"examples": 0.1, "seeds": 0.05}, {"examples": 0.1, "seeds": 0.05, "seed x example": 0.1, "repeats": 0.04}]
)
def test_seeds_have_the_part_that_training_makes_apart_from_examples_and_draws(luck: dict[str, float]) -> None:
    rng, shape = np.random.default_rng(0), {"seeds": 5, "repeats": 3, "draws": 2}
    found = [standard_errors(measured(rng, **shape, luck=luck), random=True) for _ in range(600)]
    expected = true_errors(**shape, luck=luck)
    for part in ("se_examples", "se_draws", "se_seeds"):
        assert mean_square(found, part) == pytest.approx(expected[part], rel=0.1)


def test_a_part_that_is_not_there_is_next_to_nothing() -> None:
    rng, luck = np.random.default_rng(0), {"seeds": 0.1}
    found = [standard_errors(measured(rng, seeds=4, repeats=3, draws=2, luck=luck), random=True) for _ in range(200)]
    assert mean_square(found, "se_examples") < 0.2 * mean_square(found, "se_seeds")


def test_one_draw_of_something_random_tells_neither_part_and_of_something_that_is_not_random_both() -> None:
    flags = np.arange(100)[None, None] < 30
    assert standard_errors([flags], random=True) == Spread()
    found = standard_errors([flags], random=False)
    assert found.se_examples == pytest.approx(sqrt(0.3 * 0.7 / 99))
    assert (found.se_draws, found.se_seeds) == (0.0, None)


def test_seeds_that_were_drawn_once_tell_the_examples_part_alone() -> None:
    found = standard_errors([np.arange(100)[None, None] < right for right in (30, 50)], random=True)
    assert found.se_examples is not None
    assert (found.se_draws, found.se_seeds) == (None, None)


def test_one_example_says_nothing_of_how_examples_differ() -> None:
    assert standard_errors([np.ones((3, 2, 1), dtype=bool)], random=True) == Spread(se_examples=None, se_draws=0.0)


@given(st.lists(arrays(bool, (2, 3, 4)), min_size=1, max_size=4))
def test_standard_errors_are_never_negative_nor_greater_than_a_half(by_seed: list[NDArray[np.bool_]]) -> None:
    found = standard_errors(by_seed, random=True)
    for error in (found.se_examples, found.se_draws, found.se_seeds):
        assert error is None or 0 <= error <= 0.5 + 1e-9
