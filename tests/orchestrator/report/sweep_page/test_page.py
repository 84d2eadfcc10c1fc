"""The page that `robustsweep report SWEEP` writes, as text."""

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.naming.names import slug
from orchestrator.paths import Paths
from orchestrator.report.figures import accuracy_curves
from orchestrator.report.sweep_page import ReportOptions, report_sweep
from orchestrator.report.sweep_page.payload import pack, table_of_records, table_payload, unpack
from orchestrator.store import model_verdicts, open_store, result_rows
from orchestrator.terminal.escaping import html
from tests.orchestrator.report.sweep_page.conftest import FillStore
from tests.stored import record_sweep
from workers.artifacts.outcomes import Environment
from workers.errors import UserError

_PACKED = re.compile(r'<script type="text/plain"[^>]*>([^<]*)</script>')


def written(url: str, folder: Path, sweep: str = "small") -> str:
    (page,) = report_sweep(ReportOptions(paths=Paths.resolve(home=folder, store=url), sweep=sweep, output=folder / "report.html"))
    return page.read_text(encoding="utf-8")


def payloads(page: str) -> list[dict[str, Any]]:
    return [unpack(text) for text in _PACKED.findall(page)]


def outside_of_scripts(page: str) -> str:
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_every_figure_is_there_with_the_table_it_is_drawn_from(fill_store: FillStore, tmp_path: Path) -> None:
    url = fill_store()
    page = written(url, tmp_path)
    figures = [payload for payload in payloads(page) if "data" in payload]
    assert len(figures) == page.count("<figure ") == page.count("<summary>Data table, ")
    with open_store(url, upgrade=False) as store:
        (expected,) = accuracy_curves(result_rows(store, "small", per_repeat=False)).values()
    shown = {column["title"]: column["values"] for column in figures[1]["table"]}
    assert shown["accuracy %"] == [row["accuracy %"] for row in expected.table]
    drawn = [value for trace in figures[1]["data"] if "fill" not in trace for value in trace["y"]]
    assert drawn == shown["accuracy %"]


def test_all_sections_have_figures_where_there_are_results(fill_store: FillStore, tmp_path: Path) -> None:
    page = written(fill_store(), tmp_path)
    for name in ("accuracy", "pareto", "rank", "cost", "training", "examples"):
        section = page.split(f'<section id="{name}">')[1].split("</section>")[0]
        assert "<figure " in section, name


def test_sections_without_data_say_in_one_line_what_would_fill_them(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'results.db'}"
    with open_store(url, upgrade=True) as store:
        record_sweep(store, name="empty", space_text="", jobs=[])
    page = written(url, tmp_path, "empty")
    assert "<figure " not in page
    for section in page.split("<section ")[1:]:
        assert "To fill this: " in section or 'id="provenance"' in section
    together = page.split('<section id="absent">')[1].split("</section>")[0]
    assert together.count("To fill this: ") == together.count("<dt ") > len(page.split("<section ")[1:])


def test_provenance_says_where_results_come_from(fill_store: FillStore, tmp_path: Path) -> None:
    page = outside_of_scripts(written(fill_store(space="model: {width: 4} # mine"), tmp_path))
    for said in (
        "localhost",
        "torch 2.11.0",
        "digits, 16 test examples",
        "robustsweep 0.",
        "model: {width: 4} # mine",
        "Failed jobs: 1",
        "boom",
    ):
        assert said in page, said


def test_the_page_names_no_other_place_outside_of_its_scripts(fill_store: FillStore, tmp_path: Path) -> None:
    page = outside_of_scripts(written(fill_store(), tmp_path))
    assert not re.search(r"https?://|//[a-z]|@import|url\(|<link|<img|<iframe", page)


def test_nothing_but_its_own_scripts_may_run(fill_store: FillStore, tmp_path: Path) -> None:
    page = written(fill_store(), tmp_path)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "script-src" in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert page.count("<script>") == 2


HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><a href='javascript:1'>&amp;"


def test_names_with_markup_stay_text(fill_store: FillStore, tmp_path: Path) -> None:
    environment = Environment(host=HOSTILE, device=HOSTILE, threads=1, git_revision=HOSTILE[:40], versions={HOSTILE: HOSTILE})
    url = fill_store(sweep=HOSTILE, space=HOSTILE, environment=environment, error=HOSTILE)
    page = written(url, tmp_path, HOSTILE)
    assert page.count("<script>") == 2
    assert page.count("</script>") == page.count("<script")
    assert "<img" not in outside_of_scripts(page)
    assert "<a href='javascript" not in page


def test_tables_are_packed_to_letters_that_mean_nothing_in_html() -> None:
    value = {"table": [{"title": HOSTILE, "values": [HOSTILE, None, 1.5, True]}]}
    assert re.fullmatch(r"[A-Za-z0-9+/=]*", pack(value))
    assert unpack(pack(value)) == value


def test_cells_that_json_or_the_eye_would_lose_are_written_out() -> None:
    losses = [{"loss": value} for value in (1.5, float("inf"), float("nan"), None)]
    assert table_payload(table_of_records(losses))[0]["values"] == [1.5, "inf", "nan", None]
    shares = [{"rank": 1 / 18}, {"rank": 12345678}]
    assert table_payload(table_of_records(shares))[0]["values"] == [0.0555556, 12345678]
    assert table_payload(table_of_records([{"name": "a\u202eb"}]))[0]["values"] == ["a\\u202eb"]


def test_a_sweep_that_is_not_there_leaves_no_file(fill_store: FillStore, tmp_path: Path) -> None:
    url = fill_store()
    with pytest.raises(UserError, match="sweep 'other': one of small"):
        report_sweep(ReportOptions(paths=Paths.resolve(home=tmp_path, store=url), sweep="other", output=tmp_path / "report.html"))
    assert not (tmp_path / "report.html").exists()


def test_a_report_that_cannot_be_written_leaves_the_old_one_and_no_pieces(fill_store: FillStore, tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UserError, match=r"report\.html: cannot be written"):
        written(fill_store(), tmp_path)
    assert not list(tmp_path.glob(".report*"))


@pytest.mark.parametrize(("name", "expected"), [("table1-small", "table1-small"), ("../../etc/x", "etc-x"), ("<b>", "b"), ("..", "sweep")])
def test_file_names_hold_nothing_that_a_path_or_a_shell_would_read(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_long_names_of_files_are_cut_and_stay_apart() -> None:
    long = [f"{'学' * 99} {end}" for end in ("a", "b")] + [f"{'x' * 200}{end}" for end in ("a", "b")]
    assert all(len(slug(name).encode()) <= 100 for name in long)
    assert len({slug(name) for name in long}) == len(long)


def test_the_answer_is_first_then_results_and_verdicts_with_each_check_and_provenance_last(fill_store: FillStore, tmp_path: Path) -> None:
    url = fill_store(space="description: a <b>question</b>?")
    with open_store(url, upgrade=False) as store:
        verdicts = model_verdicts(store, "small")
    assert len(verdicts) == 4
    page = written(url, tmp_path)
    order = ("<h1>small", '<p class="lead">a &lt;b&gt;', "<p>Best at 16/255: ", "<p>At 16/255, ", "<p>What mattered at 16/255: ")
    order += tuple(f'<section id="{name}">' for name in ("glance", "results", "verdicts", "accuracy", "pareto", "absent", "provenance"))
    assert [page.index(part) for part in order] == sorted(page.index(part) for part in order)
    section = page.split('<section id="verdicts">')[1].split("</section>")[0]
    for verdict in verdicts:
        assert f'title="model key {verdict.model_key[:8]}"' in section
        assert verdict.description in section
        for check in verdict.checks:
            assert html(check.reason) in section


def test_a_number_that_is_not_finite_is_a_gap_in_a_figure() -> None:
    assert unpack(pack({"y": [1.0, float("nan"), (float("inf"), 2)], "name": "loss"})) == {"y": [1.0, None, [None, 2]], "name": "loss"}
