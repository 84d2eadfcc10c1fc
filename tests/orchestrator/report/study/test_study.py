"""The page of a search: every trial, its front, its history, the parameters' importance; harmless whatever things are called."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.paths import Paths
from orchestrator.report.study import StudyOptions, study_page
from orchestrator.report.study.candidates import Candidate, of_grid
from orchestrator.report.study.choose_best import BestOptions, read_field
from orchestrator.report.study.effects import StudiedAxis, axes_of, dependence, importances
from orchestrator.report.study.objective_pictures import histories, standings
from orchestrator.report.study.read_study import read_study
from orchestrator.store import open_store, result_rows
from tests.browsers import complaints, opened, requests
from tests.commands import robustsweep
from tests.orchestrator.report.study.conftest import TRIES, FillGrid, FillSearch
from workers.errors import UserError


def write(url: str, output: Path, sweep: str = "search", epsilon: str | None = None) -> str:
    paths = Paths.resolve(home=Path("sweeps"), store=url)
    (page,), said = study_page(StudyOptions(paths=paths, sweep=sweep, output=output, epsilon=epsilon))
    assert page == output
    return said


def test_the_summary_counts_trials_by_what_became_of_them(fill_search: FillSearch, tmp_path: Path) -> None:
    first, second, clean, robust, *left_out = write(fill_search(), tmp_path / "page.html").splitlines()
    assert first == "maximize clean_accuracy, maximize worst_case_accuracy 8/255."
    assert second == "8 trials: 5 complete, 1 warm start, 1 duplicate, 1 fail; 3 on the front: trial 0, trial 1, trial 5."
    assert re.fullmatch(r"clean accuracy \(%\): model\.\w+ explains \d+ % \(\d+-\d+\), model\.\w+ explains \d+ % \(\d+-\d+\)\.", clean)
    assert robust.startswith("worst case accuracy 8/255 (%): model.rank_fraction explains")
    assert left_out == ["left out: 1 model beyond a constraint", "left out: 1 model whose verdict is unsound; --any-verdict admits them"]


def test_the_history_of_few_trials_has_a_tick_for_each(fill_search: FillSearch) -> None:
    field, _, _ = read_field(BestOptions(paths=Paths.resolve(home=Path("sweeps"), store=fill_search()), sweep="search"))
    pictures = histories(field, standings(field, field.candidates, []))
    assert [picture.figure.layout.xaxis.dtick for picture in pictures] == [1, 1]


@pytest.mark.slow  # quicker: the page of a sweep, in ../sweep_page/test_in_browser.py
def test_the_page_opens_in_a_browser_with_every_figure_drawn_and_no_request_made(fill_search: FillSearch, tmp_path: Path) -> None:
    name = "<img src=x onerror=document.title='taken'>"
    write(fill_search(sweep=name), tmp_path / "page.html", sweep=name)
    with opened(tmp_path / "page.html") as browser:
        assert complaints(browser) == []
        assert requests(browser) == [(tmp_path / "page.html").as_uri()]
        assert browser.evaluate("document.title") == f"{name}: robustsweep study"
        assert browser.evaluate("[...document.querySelectorAll('h2')].map((title) => title.textContent)") == [
            "Front",
            "Trials",
            "History",
            "Parameter importance",
            "By parameter",
            "All parameters",
        ]
        assert browser.evaluate("document.querySelectorAll('#trials tbody tr').length") == len(TRIES)


def test_a_search_in_postgresql_has_the_same_page(fill_search: FillSearch, tmp_path: Path, postgres: str) -> None:
    for url in (fill_search(), fill_search(url=postgres)):
        write(url, tmp_path / f"{url[:4]}.html")
    assert (tmp_path / "post.html").read_text() == (tmp_path / "sqli.html").read_text()


@pytest.mark.parametrize("image", ["svg", "png"])
@pytest.mark.slow
def test_every_figure_is_written_as_an_image_where_that_is_asked(image: str, fill_search: FillSearch, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    done = robustsweep("study", "search", "--store", fill_search(), "--figures", str(folder), "--image", image, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = sorted(folder.iterdir())
    assert {path.suffix for path in written} == {f".{image}"}
    assert f"search-study.html and {len(written)} figures in {folder}" in done.stdout
    for part in ("-against-", "history-of-", "parameter-importance-", "-along-model.", "-by-model.", "all-models-at-once"):
        assert any(part in path.name for path in written), part
    for path in written:
        assert path.read_bytes().startswith(b"\x89PNG" if image == "png" else b"<svg")


def test_reading_a_study_writes_nothing_and_makes_no_table(fill_search: FillSearch, tmp_path: Path) -> None:
    url = fill_search(names=())
    before = (tmp_path / "results.db").read_bytes()
    with open_store(url, upgrade=False) as store:
        assert read_study(store, "search") is None
    assert (tmp_path / "results.db").read_bytes() == before


def test_a_grid_has_a_page_of_what_mattered_with_seed_luck_apart(fill_grid: FillGrid, tmp_path: Path) -> None:
    url = fill_grid(learning_rates=(0.01, 0.1), epochs=(1, 2), seeds=(0, 1))
    first, clean, robust, luck, *_ = write(url, tmp_path / "page.html", "grid").splitlines()
    assert first.startswith("8 models by clean_accuracy and worst_case_accuracy 8/255; 1 on the front: epochs 2, learning_rate 0.1, seed 1")
    assert clean.startswith("clean accuracy (%): learning_rate explains ")
    assert "epochs explains" in clean
    assert "seed explains" not in clean + robust
    assert "clean accuracy (%): seed luck is " in luck
    page = (tmp_path / "page.html").read_text()
    for heading in ("Front", "Models", "Parameter importance", "By parameter", "All parameters"):
        assert f"<h2>{heading}</h2>" in page
    assert "<h2>History</h2>" not in page


def test_the_epsilon_of_a_grid_is_the_largest_that_separates_models_unless_one_is_named(
    fill_grid: FillGrid, fill_search: FillSearch, tmp_path: Path
) -> None:
    url = fill_grid(learning_rates=(0.01, 0.1), robust={"2/255": 60, "8/255": 40, "16/255": 0})
    assert "worst_case_accuracy 8/255" in write(url, tmp_path / "page.html", "grid")
    assert "worst_case_accuracy 2/255" in write(url, tmp_path / "page.html", "grid", "4/510")
    with pytest.raises(UserError, match="--epsilon 1/255: no attack of this sweep was made at it; one of 2/255, 8/255, 16/255"):
        write(url, tmp_path / "page.html", "grid", "1/255")
    with pytest.raises(UserError, match="--epsilon: sweep search is a search"):
        write(fill_search(), tmp_path / "page.html", epsilon="8/255")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rates": (0.01, 0.1)}, "clean accuracy (%): only learning_rate varies, so that there is nothing to weigh it against."),
        ({"learning_rates": (0.1,)}, "clean accuracy (%): no setting but the seed varies."),
        ({"learning_rates": (0.1,), "seeds": (0, 1, 2)}, "clean accuracy (%): seed luck is 100 % of the variance between models;"),
        ({"robust": {}}, "2 models by clean_accuracy; 1 on the front: learning_rate 0.1."),
        ({"learning_rates": ()}, "0 models by clean_accuracy."),
    ],
)
def test_a_grid_too_small_to_weigh_axes_says_so_in_a_line_and_has_its_page(
    changes: dict[str, Any], said: str, fill_grid: FillGrid, tmp_path: Path
) -> None:
    assert said in write(fill_grid(**changes), tmp_path / "page.html", "grid")
    assert (tmp_path / "page.html").exists()


def test_an_attack_that_all_models_met_goes_before_a_worst_case_that_some_have(fill_grid: FillGrid) -> None:
    with open_store(fill_grid(), upgrade=False) as store:
        rows, worst = (result_rows(store, "grid", per_repeat=False, worst=worst) for worst in (False, True))
    assert of_grid([*rows, *worst], epsilon=None, choose=True).objectives[1] == "worst_case_accuracy 8/255"
    some = of_grid([*rows, *(row for row in worst if row.model_key == worst[0].model_key)], epsilon="8/255", choose=True)
    assert (some.objectives[1], len(some.candidates)) == ("robust_accuracy fgsm 8/255, randomized", 2)
    with pytest.raises(UserError, match="--epsilon 8/255: no attack of this sweep is done yet"):
        of_grid([], epsilon="8/255", choose=True)


def test_words_truth_values_and_settings_that_only_some_models_have_are_weighed_too() -> None:
    settings: list[dict[str, Any]] = [{"optimizer": name, "nesterov": on} for name in ("sgd", "adam") for on in (True, False)]
    settings = [{**one, **({"momentum": 0.9} if one["optimizer"] == "sgd" else {})} for one in settings]
    models = [Candidate(trial=None, settings=one, figures=(), verdict=None, model_key="") for one in settings]
    axes, values = axes_of(models), np.array([80.0, 81, 60, 61])
    assert {axis.name: list(axis.levels) for axis in axes} == {
        "optimizer": ["adam", "sgd"],
        "nesterov": ["false", "true"],
        "momentum": ["0.9", "none"],
    }
    shares = {one.axis: one.share for one in importances(axes, values, maximize=True)}
    assert shares["optimizer"] + shares["momentum"] > shares["nesterov"]
    assert [level.label for level in dependence(axes, 0, values)] == ["adam", "sgd"]


def test_the_effects_of_a_grid_are_those_it_was_made_with() -> None:
    settings = [{"rate": rate, "size": size} for rate in (0.01, 0.1, 1.0) for size in (16, 32)]
    models = [Candidate(trial=None, settings=one, figures=(), verdict=None, model_key="") for one in settings]
    axes, values = axes_of(models), np.array([60.0, 62, 80, 82, 70, 72])
    first, second = importances(axes, values, maximize=True)
    assert (first.axis, second.axis) == ("rate", "size")
    assert second.share < 0.2
    assert first.share > 0.5
    assert all(one.low <= one.share <= one.high for one in (first, second))
    levels = dependence(axes, 0, values)
    assert [(level.label, level.mean, level.deviation) for level in levels] == [("0.01", 61, 1), ("0.1", 81, 1), ("1", 71, 1)]
    missing = dependence([StudiedAxis(axis.name, axis.values[:-1]) for axis in axes], 0, values[:-1])
    assert [level.mean for level in missing] == pytest.approx([61, 81, 71], abs=4)  # a forest's, of what is no whole grid


def test_a_search_of_which_nothing_is_complete_has_a_page_that_says_so(fill_search: FillSearch, tmp_path: Path) -> None:
    assert "none is complete and admitted yet" in write(fill_search(TRIES[-1:]), tmp_path / "page.html")
    assert "To fill this: a complete trial" in (tmp_path / "page.html").read_text()
