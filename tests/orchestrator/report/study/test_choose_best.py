"""The best of a search, and of a grid: nothing unsound, nothing that violates a constraint, and figures with their intervals."""

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from orchestrator.paths import Paths
from orchestrator.report.study import BestOptions, choose_best
from orchestrator.report.study.candidates import Candidate, ObjectiveValue, front
from orchestrator.store import accuracy_interval
from orchestrator.tables.writers import render
from search_spaces import ObjectiveGoal
from tests.commands import robustsweep
from tests.orchestrator.report.study.conftest import TRIES, FillSearch, without_trap
from workers.errors import UserError

ON_TEST = "chosen on the test split, so what is best looks better than it is; hold out data.validation_examples to choose by"


def best(url: str, sweep: str = "search", **options: object) -> tuple[list[dict[str, object]], list[str]]:
    places = Paths.resolve(home=Path("sweeps"), store=url)
    choice = choose_best(BestOptions(paths=places, sweep=sweep, **options))
    rendered = render(choice.table, "json")
    assert isinstance(rendered, str)
    return json.loads(rendered), choice.notes


def test_the_front_holds_no_unsound_model_and_none_that_violates_a_constraint(fill_search: FillSearch) -> None:
    rows, notes = best(fill_search())
    assert [row["trial"] for row in rows] == [0, 1, 5]
    assert notes == [
        "left out: 1 model beyond a constraint",
        "left out: 1 model whose verdict is unsound; --any-verdict admits them",
        ON_TEST,
    ]


def test_a_search_in_postgresql_has_the_same_front(fill_search: FillSearch, postgres: str) -> None:
    assert best(fill_search(url=postgres)) == best(fill_search())


def test_an_unsound_model_is_admitted_where_it_is_asked_for(fill_search: FillSearch) -> None:
    rows, _ = best(fill_search(), any_verdict=True)
    assert [(row["trial"], row["verdict"]) for row in rows] == [(3, "unsound")]


def test_figures_have_the_intervals_of_the_results_and_say_which_model_they_are_of(fill_search: FillSearch) -> None:
    (first, *_), _ = best(fill_search())
    interval = accuracy_interval(np.array([[np.arange(100) < 40]]))
    assert (first["worst_case_accuracy 8/255"], first["model.rank_fraction"]) == (0.4, 0.9)
    shown = [first[f"worst_case_accuracy 8/255 95% {end}"] for end in ("low", "high")]
    assert shown == pytest.approx(interval[1:], rel=1e-12)
    assert len(str(first["model key"])) == 64
    assert first["verdict"] in ("sound", "suspicious")


def test_of_one_objective_there_is_one_best(fill_search: FillSearch) -> None:
    rows, _ = best(fill_search(without_trap(), names=("robust_accuracy",)))
    assert [(row["trial"], row["robust_accuracy"], row["robust_accuracy 95% low"] is not None) for row in rows] == [(4, 0.8, True)]


def test_what_is_no_accuracy_has_no_interval(fill_search: FillSearch) -> None:
    rows, _ = best(fill_search(without_trap(), names=("clean_accuracy", "parameters")))
    assert rows[0]["parameters"] == 1234.0
    assert "parameters 95% low" not in rows[0]


def test_a_grid_has_a_front_of_clean_and_worst_case_accuracy(fill_search: FillSearch) -> None:
    rows, notes = best(fill_search(names=()))
    assert [(row["clean_accuracy"], row["worst_case_accuracy 8/255"]) for row in rows] == [(0.95, 0.4), (0.92, 0.8)]
    assert "trial" not in rows[0]
    assert notes == ["left out: 1 model whose verdict is unsound; --any-verdict admits them", ON_TEST]


def test_the_epsilon_of_a_grid_is_one_that_was_attacked_at_and_a_searchs_is_its_own(fill_search: FillSearch) -> None:
    url = fill_search(names=())
    assert best(url, epsilon="16/510")[0]
    with pytest.raises(UserError, match=r"--epsilon 4/255: no attack of this sweep was made at it; one of 8/255"):
        best(url, epsilon="4/255")


def test_a_search_says_itself_at_which_epsilon(fill_search: FillSearch) -> None:
    with pytest.raises(UserError, match="--epsilon: sweep search is a search"):
        best(fill_search(), epsilon="8/255")


def test_a_search_without_a_complete_trial_has_no_best(fill_search: FillSearch) -> None:
    with pytest.raises(UserError, match="best search: no trial of this search is complete yet"):
        best(fill_search(TRIES[-1:]))


@pytest.mark.parametrize(
    ("goals", "best"),
    [
        (("maximize", "minimize"), [3]),
        (("minimize", "minimize"), [4]),
        (("maximize", "maximize"), [5, 1, 2, 0]),
        (("minimize", "maximize"), [0]),
    ],
)
def test_nothing_on_the_front_is_beaten_everything_else_is_and_equals_stay_together(
    goals: tuple[ObjectiveGoal, ObjectiveGoal], best: list[int]
) -> None:
    places = [(1, 9), (2, 8), (2, 8), (3, 3), (1, 3), (3, 6)]
    candidates = [_candidate(number, *place) for number, place in enumerate(places)]
    assert [one.trial for one in front(candidates, goals)] == best


def _candidate(trial: int, *values: float) -> Candidate:
    return Candidate(trial=trial, settings={}, figures=tuple(ObjectiveValue(value=value) for value in values), verdict=None, model_key="")


def test_the_command_prints_in_every_format_and_says_what_is_left_out(fill_search: FillSearch, tmp_path: Path) -> None:
    url = fill_search(sweep="<b>x</b>")
    done = robustsweep("best", "<b>x</b>", "--store", url, "-f", "csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row["trial"] for row in csv.DictReader(StringIO(done.stdout))] == ["0", "1", "5"]
    assert "left out: 1 model whose verdict is unsound" in done.stderr
