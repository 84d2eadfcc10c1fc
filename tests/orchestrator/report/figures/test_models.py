"""Figures in which a model is one point or one cell."""

import pytest

from orchestrator.report.figures import cost_plots, heat_maps, pareto_fronts
from orchestrator.store.reading.report_evidence import JobCosts
from tests.orchestrator.conftest import MakeRow

FIGURES = {"a": (0.9, 0.2), "b": (0.8, 0.5), "c": (0.7, 0.4), "d": (0.6, 0.6), "e": (0.6, 0.55), "f": (0.8, 0.5)}


def test_the_front_holds_the_models_that_no_other_beats_in_both(make_row: MakeRow) -> None:
    rows = [make_row(key, clean=clean, robust=robust, seed=place) for place, (key, (clean, robust)) in enumerate(FIGURES.items())]
    (picture,) = pareto_fronts(rows).values()
    assert [point["on the front"] for point in picture.table] == [True, True, False, True, False, True]
    front = picture.figure.data[0]
    assert list(front.x) == [60, 80, 80, 90]
    assert list(front.y) == [60, 50, 50, 20]


def test_each_attack_epsilon_and_knowledge_has_its_own_front(make_row: MakeRow) -> None:
    rows = [make_row("a", eighths=e, knowledge=knowledge) for e in (2, 8) for knowledge in ("randomized", "eot")]
    assert list(pareto_fronts(rows)) == ["fgsm 2/255, randomized", "fgsm 2/255, eot", "fgsm 8/255, randomized", "fgsm 8/255, eot"]


def test_the_cheapest_models_make_the_front_of_costs(make_row: MakeRow) -> None:
    rows = [
        make_row(key, robust=FIGURES[key][1], n_parameters=parameters) for key, parameters in (("a", 10), ("b", 20), ("c", 30), ("d", 40))
    ]
    (picture,) = cost_plots(rows, JobCosts(seconds={}, parents={}, models=frozenset()), cost="parameters").values()
    assert [(point["parameters"], point["on the front"]) for point in picture.table] == [(10, True), (20, True), (30, False), (40, True)]


def test_costs_count_ancestors_and_crafted_examples_once(make_row: MakeRow) -> None:
    costs = JobCosts(
        seconds={"full": 100, "a": 10, "craft": 5, "attack0": 1, "attack1": 2},
        parents={"a": ("full",), "craft": ("a",), "attack0": ("a", "craft"), "attack1": ("a", "craft")},
        models=frozenset({"full", "a"}),
    )
    rows = [make_row("a", job_keys=("attack0", "attack1"))]
    (trained,) = cost_plots(rows, costs, cost="training seconds").values()
    (attacked,) = cost_plots(rows, costs, cost="attack seconds").values()
    assert trained.table[0]["training seconds"] == 110
    assert attacked.table[0]["attack seconds"] == 8


def test_models_whose_cost_is_unknown_are_left_out(make_row: MakeRow) -> None:
    costs = JobCosts(seconds={"a": 1}, parents={"a": ("lost",)}, models=frozenset({"a"}))
    assert cost_plots([make_row("a")], costs, cost="training seconds") == {}


def test_the_heat_map_has_theta_across_rank_upwards_and_the_mean_over_seeds(make_row: MakeRow) -> None:
    cells = [(1.0, 0.5, 0, 0.2), (0.9, 0.5, 0, 0.4), (0.9, 0.5, 1, 0.5), (1.0, 1.0, 0, 0.3)]
    rows = [make_row(f"{cell}", theta=cell[0], rank_fraction=cell[1], seed=cell[2], robust=cell[3]) for cell in cells]
    (picture,) = heat_maps(rows).values()
    (trace,) = picture.figure.data
    assert list(trace.x) == ["1", "0.9"]
    assert list(trace.y) == ["0.5", "1"]
    assert [list(line) for line in trace.z] == [[20, 45], [30, None]]
    assert {(cell["theta"], cell["rank"]): cell["models"] for cell in picture.table} == {("1", "0.5"): 1, ("0.9", "0.5"): 2, ("1", "1"): 1}


def test_models_that_differ_in_more_than_theta_rank_and_seed_have_maps_of_their_own(make_row: MakeRow) -> None:
    grid = [(theta, rank, width) for theta in (1.0, 0.9) for rank in (0.5, 1.0) for width in (4, 8)]
    pictures = heat_maps([make_row(f"{place}", theta=t, rank_fraction=r, width=w) for place, (t, r, w) in enumerate(grid)])
    assert list(pictures) == ["fgsm 8/255, randomized, width 4", "fgsm 8/255, randomized, width 8"]


def test_any_two_axes_make_a_heat_map_those_of_most_values_first(make_row: MakeRow) -> None:
    grid = [(rate, size, decay) for rate in (0.01, 0.1, 1.0) for size in (32, 64) for decay in (0.0, 0.001)]
    names = ("learning_rate", "batch_size", "weight_decay")
    pictures = heat_maps(
        [make_row(f"{place}", training=dict(zip(names, setting, strict=True)), fine_tuning=None) for place, setting in enumerate(grid)]
    )
    assert list(pictures) == [f"fgsm 8/255, randomized, weight_decay {decay}" for decay in ("0", "0.001")]
    picture = next(iter(pictures.values()))
    assert picture.title.startswith("Robust accuracy over learning_rate and batch_size: ")
    assert (list(picture.figure.data[0].x), list(picture.figure.data[0].y)) == (["0.01", "0.1", "1"], ["32", "64"])


def test_of_many_models_those_on_the_front_and_the_chosen_are_named(make_row: MakeRow) -> None:
    rows = [make_row(f"{place:02}", theta=0.5 + place / 100, clean=0.5 + place / 100, robust=place / 100) for place in range(40)]
    (picture,) = pareto_fronts(rows, chosen=["05"]).values()
    bold = [trace.name for trace in picture.figure.data if trace.mode == "markers" and trace.opacity is None]
    assert bold == ["theta 0.55", "theta 0.89"]
    assert sum(len(trace.x) for trace in picture.figure.data if trace.mode == "markers") == 40


@pytest.mark.parametrize("varied", ["theta", "rank_fraction"])
def test_one_axis_alone_makes_no_heat_map(make_row: MakeRow, varied: str) -> None:
    assert heat_maps([make_row("a"), make_row("b", **{varied: 0.25})]) == {}
