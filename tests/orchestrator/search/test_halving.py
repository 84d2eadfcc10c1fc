import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.study._multi_objective import _fast_non_domination_rank

from orchestrator.search.halving import RungResult, best, ranked

BOTH = ("maximize", "maximize")


def standings(*values: tuple[float, ...], violations: tuple[float, ...] = ()) -> list[RungResult]:
    missing = violations or [0.0] * len(values)
    return [RungResult(number, *found) for number, found in enumerate(zip(values, missing, strict=True))]


def numbers(found: list[RungResult]) -> list[int]:
    return [result.number for result in found]


@pytest.mark.parametrize(("goal", "expected"), [("maximize", [2, 0, 3, 1]), ("minimize", [1, 0, 3, 2])])
def test_one_objective_ranks_by_its_value_and_ties_by_who_came_first(goal, expected):
    assert numbers(ranked(standings((0.5,), (0.1,), (0.9,), (0.5,)), goals=[goal])) == expected


def test_nobody_goes_on_before_there_are_as_many_as_the_factor_and_then_one_in_so_many():
    found = standings(*[(float(value),) for value in (3, 1, 4, 1, 5, 9, 2)])
    went_on = [numbers(best(found[:n], goals=["maximize"], factor=3)) for n in range(8)]
    assert went_on == [[], [], [], [2], [2], [4], [5, 4], [5, 4]]


def test_of_several_objectives_the_undominated_come_first_and_of_them_the_ends_and_the_loneliest():
    front = [(0.0, 1.0), (0.1, 0.9), (0.15, 0.85), (0.6, 0.5), (1.0, 0.0)]
    found = standings((0.05, 0.8), *front)  # the first is dominated by three of them
    assert numbers(ranked(found, goals=BOTH)) == [1, 5, 4, 3, 2, 0]


def test_each_objective_has_its_own_goal():
    found = standings((0.9, 100.0), (0.9, 50.0), (0.8, 200.0))
    assert numbers(ranked(found, goals=("maximize", "minimize"))) == [1, 0, 2]


def test_trials_that_violate_a_constraint_come_last_the_slightest_first():
    found = standings((0.9,), (0.8,), (0.1,), violations=(3.0, 0.5, 0.0))
    assert numbers(ranked(found, goals=["maximize"])) == [2, 1, 0]


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=25))
def test_ranks_are_those_of_optuna_and_do_not_hang_on_the_order_of_arrival(values):
    found = standings(*[tuple(map(float, row)) for row in values])
    order = ranked(found, goals=["minimize"] * 3)
    ranks = _fast_non_domination_rank(np.array(values, dtype=float))
    assert [ranks[result.number] for result in order] == sorted(ranks)
    assert ranked(found[::-1], goals=["minimize"] * 3) == order


def test_trials_that_came_to_the_same_are_all_ranked():
    assert numbers(ranked(standings(*[(0.5, 0.5)] * 4), goals=BOTH)) == [0, 1, 2, 3]
    assert ranked([], goals=BOTH) == []
