"""Every page on the database of a real sweep, by Streamlit's own test driver (no browser)."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from orchestrator.dashboard import streamlit_app
from orchestrator.store import open_store, record_result, result_rows, start_attempt
from orchestrator.tables.results_table import render_results
from tests.builders import result_of, small_plan
from tests.orchestrator.search.synthetic import Laboratory, searched, space_text
from tests.stored import begin_driving, record_sweep
from workers.spec.fields import positive_fraction

PAGES = ("progress", "results", "figures", "search", "models", "examples", "surfaces")
NASTY = "<b onclick=alert(1)>**x** :red[y] `z` $a$ [l](http://h)"


def shown(name: str) -> AppTest:
    """The page, run once."""
    page = AppTest.from_string(f"from orchestrator.dashboard.{name}_page import page\npage()", default_timeout=60)
    page.run()
    return page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_a_real_sweep_without_an_error(name: str, home: Path) -> None:
    page = shown(name)
    assert [error.value for error in page.exception] == []
    assert [error.value for error in page.error] == []
    assert [info.value for info in page.info] == [], "something is said to be missing"
    assert page.selectbox(key="choose sweep").value == "tiny"


def test_progress_counts_jobs_and_shows_the_traceback_of_what_failed(home: Path) -> None:
    page = shown("progress")
    figures = {metric.label: metric.value for metric in page.metric}
    assert figures["Failed"] == "1"
    assert "Not running" in page.text[0].value
    stages = page.dataframe[0].value
    assert stages["failed"].tolist()[:2] == [1, 0]
    assert stages["blocked"].sum() > 0
    assert any("JobError" in str(code.value) and "Traceback" in str(code.value) for code in page.code)


def test_a_search_that_was_stopped_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(tmp_path))
    laboratory = Laboratory(tmp_path, f"sqlite:///{tmp_path / 'results.db'}")
    with laboratory.open(searched(space_text(n_trials=3, n_parallel=1))) as (_, _search, sweep):
        assert sweep.take() is not None
        page = shown("progress")
        assert "1 of 3 trials begun (1 running)" in page.text[0].value
        assert "ETA of begun trials" in {metric.label for metric in page.metric}, "nobody knows how long the next trials take"
    assert re.match(r"Not running(, \d+ jobs left)?\. 1 of 3 trials begun \(1 interrupted\)\.", shown("progress").text[0].value)


def test_a_filter_changes_the_table(home: Path) -> None:
    page = shown("results")
    before = page.dataframe[0].value
    assert set(before["attack"]) > {"fgsm"}
    page.multiselect(key="filter attack").select("fgsm").run()
    after = page.dataframe[0].value
    assert set(after["attack"]) == {"fgsm"}
    assert after["robust %"].tolist() == before[before["attack"] == "fgsm"]["robust %"].tolist()
    page.multiselect(key="filter attack").unselect("fgsm").run()
    assert len(page.dataframe[0].value) == len(before)
    page.selectbox(key="sorted").select("robust %, lowest first").run()
    assert page.dataframe[0].value["robust %"].tolist() == sorted(before["robust %"])
    page.selectbox(key="sorted").select("epsilon").run()
    assert page.dataframe[0].value["epsilon"].tolist() == sorted(before["epsilon"], key=positive_fraction)
    page.text_input(key="search").set_value("PGD 8/255").run()
    found = page.dataframe[0].value
    assert (set(found["attack"]), set(found["epsilon"])) == ({"pgd"}, {"8/255"})


def test_the_download_is_the_results_command_s_csv_of_the_chosen_rows(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered: list[str] = []

    def offer(_label: str, data: str, *_: object, **__: object) -> None:
        offered.append(data)

    monkeypatch.setattr("streamlit.download_button", offer)
    page = shown("results")
    with open_store(f"sqlite:///{home / 'results.db'}", upgrade=False) as store:
        rows = result_rows(store, "tiny", per_repeat=False)
    assert offered == [render_results(rows, "csv")]
    page.multiselect(key="filter attack").select("fgsm").run()
    assert offered[1] == render_results([row for row in rows if row.attack == "fgsm"], "csv")


def test_an_example_is_shown_clean_attacked_and_as_their_difference(home: Path) -> None:
    page = shown("examples")
    page.selectbox(key="order").select("hardest first").run()
    page.number_input(key="place").set_value(3).run()
    assert not page.exception
    outcomes = page.dataframe[0].value
    assert outcomes["attack"].tolist()[0] == "none"
    assert outcomes["right %"].between(0, 100).all()
    assert len(page.get("image")) == 3
    assert any("which is 8.00/255" in caption.value for caption in page.caption)
    said = [image.proto.imgs[0].caption for image in page.get("image")]
    assert re.match(r"clean: taken for class \d \((right|wrong)(, [\d.]+ %)?\)$", said[0])
    assert re.match(r"adversarial: taken for class \d \((right|wrong)(, [\d.]+ %)?\)$", said[1])
    page.button[1].click().run()
    assert page.number_input(key="place").value == 4


def test_the_search_page_names_the_best_and_lists_every_model(home: Path) -> None:
    page = shown("search")
    assert page.text[0].value.startswith("2 models by clean_accuracy and worst_case_accuracy ")
    assert page.dataframe[-1].value["standing"].tolist().count("on the front") == 1


def test_names_with_markup_stay_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(tmp_path))
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        jobs = small_plan(repeats=2)
        record_sweep(store, name=NASTY, space_text="", jobs=jobs)
        begin_driving(store, NASTY, NASTY, 1)
        for job in jobs[:-1]:
            record_result(store, job, result_of(job), attempt_id=start_attempt(store, NASTY, job.key))
        start_attempt(store, NASTY, jobs[-1].key)
    for name in PAGES:
        page = shown(name)
        assert not page.exception, name
        interpreted = [*page.markdown, *page.caption, *page.subheader, *page.error, *page.info]
        assert not [element.value for element in interpreted if "<b" in element.value or "red[" in element.value], name
        assert page.selectbox(key="choose sweep").value == NASTY


def test_a_sweep_that_runs_says_what_runs_and_when_it_will_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(tmp_path))
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        jobs = small_plan(repeats=2)
        record_sweep(store, name="live", space_text="", jobs=jobs)
        begin_driving(store, "live", "elsewhere", 1)
        page = shown("progress")
        assert {metric.label: metric.value for metric in page.metric}["ETA"] == "?", "nothing is done, nothing to go by"
        for job in jobs[:-2]:
            record_result(store, job, result_of(job), attempt_id=start_attempt(store, "live", job.key))
        start_attempt(store, "live", jobs[-2].key)
    page = shown("progress")
    assert "Running on elsewhere" in page.text[0].value
    assert re.fullmatch(r"(\d+:)?\d{1,2}:\d{2}", {metric.label: metric.value for metric in page.metric}["ETA"])
    assert any("cannot be seen from here" in caption.value for caption in page.caption)
    assert any("for" in table.value.columns and len(table.value) == 1 for table in page.dataframe)


def test_a_store_that_is_gone_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(tmp_path))
    monkeypatch.delenv("ROBUSTSWEEP_STORE", raising=False)
    page = AppTest.from_file(str(Path(streamlit_app.__file__)), default_timeout=60)
    page.run()
    assert [error.value for error in page.error] == ["This cannot be shown:"]
    assert "no such file" in page.code[0].value
    assert not page.exception
