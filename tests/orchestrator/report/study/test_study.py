"""The page of a search: every trial, its front, its history, the parameters' importance; harmless whatever things are called."""

from pathlib import Path

import pytest

from orchestrator.paths import Paths
from orchestrator.report.study import StudyOptions, study_page
from orchestrator.report.study.read_study import read_study
from orchestrator.store import open_store
from tests.browsers import complaints, opened, requests
from tests.commands import robustsweep
from tests.orchestrator.report.study.conftest import TRIES, FillSearch
from workers.errors import UserError


def write(url: str, output: Path, sweep: str = "search") -> str:
    paths = Paths.resolve(home=Path("sweeps"), store=url)
    (page,), said = study_page(StudyOptions(paths=paths, sweep=sweep, output=output))
    assert page == output
    return said


def test_the_summary_counts_trials_by_what_became_of_them(fill_search: FillSearch, tmp_path: Path) -> None:
    assert write(fill_search(), tmp_path / "page.html").splitlines() == [
        "maximize clean_accuracy, maximize worst_case_accuracy 8/255.",
        "8 trials: 5 complete, 1 warm start, 1 duplicate, 1 fail; 3 on the front: trial 0, trial 1, trial 5.",
        "left out: 1 model beyond a constraint",
        "left out: 1 model whose verdict is unsound; --any-verdict admits them",
    ]


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
        ]
        assert browser.evaluate("document.querySelectorAll('#trials tbody tr').length") == len(TRIES)


def test_a_search_in_postgresql_has_the_same_page(fill_search: FillSearch, tmp_path: Path, postgres: str) -> None:
    for url in (fill_search(), fill_search(url=postgres)):
        write(url, tmp_path / f"{url[:4]}.html")
    assert (tmp_path / "post.html").read_text() == (tmp_path / "sqli.html").read_text()


@pytest.mark.parametrize("image", ["svg", "png"])
def test_every_figure_is_written_as_an_image_where_that_is_asked(image: str, fill_search: FillSearch, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    done = robustsweep("study", "search", "--store", fill_search(), "--figures", str(folder), "--image", image, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = sorted(folder.iterdir())
    assert {path.suffix for path in written} == {f".{image}"}
    assert f"search-study.html and {len(written)} figures in {folder}" in done.stdout
    for part in ("-against-", "history-of-", "parameter-importance-", "-by-model."):
        assert any(part in path.name for path in written), part
    for path in written:
        assert path.read_bytes().startswith(b"\x89PNG" if image == "png" else b"<svg")


def test_reading_a_study_writes_nothing_and_makes_no_table(fill_search: FillSearch, tmp_path: Path) -> None:
    url = fill_search(names=())
    before = (tmp_path / "results.db").read_bytes()
    with open_store(url, upgrade=False) as store:
        assert read_study(store, "search") is None
    assert (tmp_path / "results.db").read_bytes() == before


def test_a_grid_has_no_study_page(fill_search: FillSearch, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="study search: is no search"):
        write(fill_search(names=()), tmp_path / "page.html")


def test_a_search_of_which_nothing_is_complete_has_a_page_that_says_so(fill_search: FillSearch, tmp_path: Path) -> None:
    assert "none is complete and admitted yet" in write(fill_search(TRIES[-1:]), tmp_path / "page.html")
    assert "To fill this: a complete trial" in (tmp_path / "page.html").read_text()
