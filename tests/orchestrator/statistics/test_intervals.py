import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from orchestrator.statistics.intervals import intervals_over_seeds
from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.statistics.spread import standard_errors_of_each
from orchestrator.store import accuracy_interval, interval_over_seeds, standard_errors


def simulated(
    rng: np.random.Generator, *, repeats: int, examples: int, spread: float, effect: float, draws: int = 1, luck: float = 0.0
) -> NDArray[np.bool_]:
    """Flags whose log-odds add an example's easiness, a repeat's effect and a draw's luck, (repeats, draws, examples)."""
    easiness = rng.normal(0.0, spread, size=(1, 1, examples))
    effects = rng.normal(0.0, effect, size=(repeats, 1, 1)) + rng.normal(0.0, luck, size=(repeats, draws, 1))
    return rng.random((repeats, draws, examples)) < 1 / (1 + np.exp(-(easiness + effects)))


def coverage(*, pooled: bool = False, trials: int = 400, **setting: float) -> float:
    """The share of intervals that hold the true accuracy, 1/2 by symmetry; `pooled` takes all flags for independent."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(trials):
        flags = simulated(rng, **setting)  # type: ignore[arg-type]
        _, low, high = accuracy_interval(flags.reshape(1, 1, -1) if pooled else flags)
        hits += low <= 0.5 <= high
    return hits / trials


@pytest.mark.parametrize("examples", [100, 1000])
@pytest.mark.parametrize("repeats", [1, 2, 5, 20])
def test_intervals_cover_where_examples_differ_in_difficulty(repeats: int, examples: int) -> None:
    assert 0.92 <= coverage(repeats=repeats, examples=examples, spread=2.0, effect=0.0) <= 0.99


@pytest.mark.parametrize("examples", [100, 1000])
@pytest.mark.parametrize("repeats", [3, 5, 20])
@pytest.mark.parametrize("effect", [0.3, 1.0])
def test_intervals_cover_where_repeats_differ_too(repeats: int, effect: float, examples: int) -> None:
    assert 0.91 <= coverage(repeats=repeats, examples=examples, spread=2.0, effect=effect) <= 0.99


@pytest.mark.parametrize("repeats", [3, 10])
@pytest.mark.parametrize(("effect", "luck"), [(0.0, 0.5), (0.5, 0.5), (1.0, 0.2)])
def test_intervals_cover_where_the_draws_of_a_repeat_differ_too(effect: float, luck: float, repeats: int) -> None:
    found = coverage(trials=1500, repeats=repeats, draws=4, examples=200, spread=2.0, effect=effect, luck=luck)
    assert 0.9 <= found <= 0.99


@pytest.mark.parametrize("draws", [4, 16])
@pytest.mark.parametrize("luck", [0.0, 0.3, 1.0])
def test_intervals_of_one_repeat_cover_the_luck_of_its_draws(luck: float, draws: int) -> None:
    assert 0.91 <= coverage(repeats=1, draws=draws, examples=200, spread=2.0, effect=0.0, luck=luck) <= 0.99


def test_an_interval_of_many_draws_is_no_wider_than_one_of_few() -> None:
    rng = np.random.default_rng(0)
    flags = simulated(rng, repeats=5, draws=16, examples=200, spread=2.0, effect=0.0, luck=1.0)
    widths = [high - low for _, low, high in (accuracy_interval(flags[:, :draws]) for draws in (1, 16))]
    assert widths[1] < 0.8 * widths[0]


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_intervals_over_seeds_cover_where_trained_models_differ(effect: float, seeds: int) -> None:
    rng, hits = np.random.default_rng(0), 0
    for _ in range(400):
        easiness = rng.normal(0.0, 2.0, size=200)
        trained = easiness + rng.normal(0.0, effect, size=(seeds, 1)) + rng.normal(0.0, 0.5, size=(seeds, 200))
        by_seed = [rng.random((3, 2, 200)) < 1 / (1 + np.exp(-model - rng.normal(0.0, 0.3, size=(3, 1, 1)))) for model in trained]
        _, low, high = interval_over_seeds(by_seed)
        hits += low <= 0.5 <= high
    assert 0.91 <= hits / 400 <= 0.99


def test_seeds_count_alike_however_often_each_was_measured_and_one_is_no_pool() -> None:
    often, once = np.ones((3, 2, 10), dtype=bool), np.arange(10)[None, None] < 4
    assert interval_over_seeds([often, once])[0] == pytest.approx(0.7)
    assert interval_over_seeds([once]) == accuracy_interval(once)


@pytest.mark.parametrize(("spread", "effect"), [(2.0, 0.0), (0.0, 0.3)])
def test_pooling_all_flags_as_independent_would_not_cover(spread: float, effect: float) -> None:
    assert coverage(repeats=20, examples=200, spread=spread, effect=effect, pooled=True) < 0.8
    assert coverage(repeats=20, examples=200, spread=spread, effect=effect) > 0.9


def test_a_value_computed_by_hand() -> None:
    # p = 3/8; V_examples = 0.6875 / 3 / 4 = 0.05729; V_repeats = 0.03125 / 2 = 0.01563; V_iid = 1.875 / 7 / 8 = 0.03348;
    # their two-way variance 0.03943 is below V_examples, so n_eff = 0.234375 / 0.05729 = 45 / 11; the degrees of freedom are
    # 0.05729^2 / (0.01563^2 / 1 + (0.05729 - 0.01563)^2 / 3) = 3.989, and t = 2.7795.
    flags = np.array([[[True, True, False, False]], [[True, False, False, False]]])
    assert accuracy_interval(flags) == pytest.approx((0.375, 0.05683, 0.85661), abs=1e-5)
    assert accuracy_interval(flags.swapaxes(0, 1)) == accuracy_interval(flags)  # the two draws of one repeat
    assert accuracy_interval(np.repeat(flags, 3, axis=1)) == pytest.approx(accuracy_interval(flags))  # draws that agree


def test_a_two_way_value_computed_by_hand() -> None:
    # p = 1/2; V_examples = 0; V_repeats = (1/2) / 2 = 1/4; V_iid = (4/3 * 1/4) / 4 = 1/12; their two-way variance 1/6 is below
    # V_repeats, so n_eff = 1; one degree of freedom, t = 12.7062 and the half-width t / (2 sqrt(1 + t^2)) = 0.4984587.
    flags = np.array([[[True, True]], [[False, False]]])
    assert accuracy_interval(flags) == pytest.approx((0.5, 0.0015413, 0.9984587), abs=1e-6)


@pytest.mark.parametrize("repeats", [1, 3])
def test_none_or_all_right_is_wilsons_interval_over_the_examples(repeats: int) -> None:
    none = np.zeros((repeats, 2, 10), dtype=bool)
    assert accuracy_interval(none) == pytest.approx((0.0, 0.0, 0.277533), abs=1e-6)
    assert accuracy_interval(~none) == pytest.approx((1.0, 0.722467, 1.0), abs=1e-6)


def test_repeats_that_all_agree_are_worth_one() -> None:
    once = np.arange(50)[None, None] % 3 == 0
    assert accuracy_interval(np.repeat(once, 20, axis=0)) == pytest.approx(accuracy_interval(once))


@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=8)))
def test_the_interval_is_ordered_and_within_0_and_1(flags: NDArray[np.bool_]) -> None:
    mean, low, high = accuracy_interval(flags)
    assert 0 <= low <= mean <= high <= 1
    assert mean == pytest.approx(flags.mean())


@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=8)), st.randoms(use_true_random=False))
def test_the_order_of_examples_and_repeats_and_the_name_of_right_do_not_matter(flags: NDArray[np.bool_], random: object) -> None:
    mean, low, high = accuracy_interval(flags)
    assert accuracy_interval(flags[::-1, ::-1, ::-1]) == pytest.approx((mean, low, high))
    assert accuracy_interval(~flags) == pytest.approx((1 - mean, 1 - high, 1 - low))


@pytest.mark.parametrize("shape", [(0, 3, 1), (3, 0, 1), (3, 1, 0), (4,), (2, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \(repeats, draws, examples\)"):
        accuracy_interval(np.zeros(shape, dtype=bool))


def test_many_intervals_at_once_are_those_of_each_alone() -> None:
    rng = np.random.default_rng(3)
    shapes = [(3, 2, 40), (1, 4, 40), (3, 2, 40), (1, 1, 40), (3, 2, 7)]
    measured = [([rng.random(shape) < 0.6 for _ in range(seeds)], SharedDraws(batch=10)) for shape in shapes for seeds in (1, 3)]
    measured.append(([np.ones((3, 2, 40), dtype=bool)], SharedDraws(batch=10)))
    alone = [interval_over_seeds(by_seed, draws) for by_seed, draws in measured]
    np.testing.assert_allclose(intervals_over_seeds(measured), alone, rtol=1e-12)  # logarithms of several numbers have other last bits


def test_many_standard_errors_at_once_are_those_of_each_alone() -> None:
    rng = np.random.default_rng(4)
    shapes = [(3, 2, 40), (1, 4, 40), (3, 2, 40), (1, 1, 40), (2, 1, 1)]
    measured = [
        ([rng.random(shape) < 0.6 for _ in range(seeds)], random) for shape in shapes for seeds in (1, 3) for random in (True, False)
    ]
    assert standard_errors_of_each(measured) == [standard_errors(by_seed, random=random) for by_seed, random in measured]
