import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from orchestrator.store import accuracy_interval


def simulated(rng: np.random.Generator, *, repeats: int, examples: int, spread: float, effect: float) -> NDArray[np.bool_]:
    """Flags whose log-odds add an example's easiness and a repeat's luck."""
    easiness = rng.normal(0.0, spread, size=(1, examples))
    luck = rng.normal(0.0, effect, size=(repeats, 1))
    return rng.random((repeats, examples)) < 1 / (1 + np.exp(-(easiness + luck)))


def coverage(*, repeats: int, examples: int, spread: float, effect: float, pooled: bool = False) -> float:
    """The share of 400 intervals that hold the true accuracy, 1/2 by symmetry; `pooled` takes all flags for independent."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        flags = simulated(rng, repeats=repeats, examples=examples, spread=spread, effect=effect)
        _, low, high = accuracy_interval(flags.reshape(1, -1) if pooled else flags)
        hits += low <= 0.5 <= high
    return hits / 400


@pytest.mark.parametrize("examples", [100, 1000])
@pytest.mark.parametrize("repeats", [1, 2, 5, 20])
def test_intervals_cover_where_examples_differ_in_difficulty(repeats: int, examples: int) -> None:
    assert 0.92 <= coverage(repeats=repeats, examples=examples, spread=2.0, effect=0.0) <= 0.99


@pytest.mark.parametrize("examples", [100, 1000])
@pytest.mark.parametrize("repeats", [3, 5, 20])
@pytest.mark.parametrize("effect", [0.3, 1.0])
def test_intervals_cover_where_repeats_differ_too(repeats: int, effect: float, examples: int) -> None:
    assert 0.91 <= coverage(repeats=repeats, examples=examples, spread=2.0, effect=effect) <= 0.99


@pytest.mark.parametrize(("spread", "effect"), [(2.0, 0.0), (0.0, 0.3)])
def test_pooling_all_flags_as_independent_would_not_cover(spread: float, effect: float) -> None:
    assert coverage(repeats=20, examples=200, spread=spread, effect=effect, pooled=True) < 0.8
    assert coverage(repeats=20, examples=200, spread=spread, effect=effect) > 0.9


def test_a_value_computed_by_hand() -> None:
    # p = 3/8; V_examples = 0.6875 / 3 / 4 = 0.05729; V_repeats = 0.03125 / 2 = 0.01563; V_iid = 1.875 / 7 / 8 = 0.03348;
    # their two-way variance 0.03943 is below V_examples, so n_eff = 0.234375 / 0.05729 = 45 / 11; the degrees of freedom are
    # 0.05729^2 / (0.01563^2 / 1 + (0.05729 - 0.01563)^2 / 3) = 3.989, and t = 2.7795.
    flags = np.array([[True, True, False, False], [True, False, False, False]])
    assert accuracy_interval(flags) == pytest.approx((0.375, 0.05683, 0.85661), abs=1e-5)


def test_a_two_way_value_computed_by_hand() -> None:
    # p = 1/2; V_examples = 0; V_repeats = (1/2) / 2 = 1/4; V_iid = (4/3 * 1/4) / 4 = 1/12; their two-way variance 1/6 is below
    # V_repeats, so n_eff = 1; one degree of freedom, t = 12.7062 and the half-width t / (2 sqrt(1 + t^2)) = 0.4984587.
    flags = np.array([[True, True], [False, False]])
    assert accuracy_interval(flags) == pytest.approx((0.5, 0.0015413, 0.9984587), abs=1e-6)


@pytest.mark.parametrize("repeats", [1, 3])
def test_none_or_all_right_is_wilsons_interval_over_the_examples(repeats: int) -> None:
    none = np.zeros((repeats, 10), dtype=bool)
    assert accuracy_interval(none) == pytest.approx((0.0, 0.0, 0.277533), abs=1e-6)
    assert accuracy_interval(~none) == pytest.approx((1.0, 0.722467, 1.0), abs=1e-6)


def test_repeats_that_all_agree_are_worth_one() -> None:
    once = np.arange(50)[None] % 3 == 0
    assert accuracy_interval(np.repeat(once, 20, axis=0)) == pytest.approx(accuracy_interval(once))


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_the_interval_is_ordered_and_within_0_and_1(flags: NDArray[np.bool_]) -> None:
    mean, low, high = accuracy_interval(flags)
    assert 0 <= low <= mean <= high <= 1
    assert mean == pytest.approx(flags.mean())


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)), st.randoms(use_true_random=False))
def test_the_order_of_examples_and_repeats_and_the_name_of_right_do_not_matter(flags: NDArray[np.bool_], random: object) -> None:
    mean, low, high = accuracy_interval(flags)
    assert accuracy_interval(flags[::-1, ::-1]) == pytest.approx((mean, low, high))
    assert accuracy_interval(~flags) == pytest.approx((1 - mean, 1 - high, 1 - low))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (4,), (1, 2, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \(repeats, examples\)"):
        accuracy_interval(np.zeros(shape, dtype=bool))
