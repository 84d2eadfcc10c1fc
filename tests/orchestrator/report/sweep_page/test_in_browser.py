"""The page that `robustsweep report SWEEP` writes, in a real browser."""

from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from orchestrator.paths import Paths
from orchestrator.report.browser import BROWSER_VARIABLE
from orchestrator.report.figures.paper import PaperStyle
from orchestrator.report.sweep_page import ReportOptions, report_sweep
from tests.browsers import Browser, complaints, opened, pixels, requests, skip_without_browser
from tests.orchestrator.report.sweep_page.conftest import FillStore
from tests.orchestrator.report.sweep_page.test_page import HOSTILE
from workers.artifacts.outcomes import Environment
from workers.errors import UserError

FEWEST_COLOURS = 20


@pytest.fixture
def page(fill_store: FillStore, tmp_path: Path) -> Path:
    (found,) = report_sweep(
        ReportOptions(paths=Paths.resolve(home=tmp_path, store=fill_store()), sweep="small", output=tmp_path / "report.html")
    )
    return found


@pytest.mark.parametrize("dark", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_page_draws_every_figure_without_an_error_or_a_request(page: Path, dark: bool) -> None:
    with opened(page, dark=dark) as browser:
        assert complaints(browser) == []
        assert requests(browser) == [page.as_uri()]
        picture = pixels(browser, "#figure-0 .plot")
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > FEWEST_COLOURS
        ground = pixels(browser, "h1").mean()
        assert ground < 90 if dark else ground > 170


def test_pictures_of_kept_examples_next_to_the_figures_leave_the_tables_as_they_are(page: Path) -> None:
    """A grid of examples has figures of its own (`orchestrator/report/examples/templates/grid.html`), in which nothing is drawn."""
    text = page.read_text()
    page.write_text(text.replace("<figure id", "<figure hidden><figcaption>clean</figcaption></figure><figure id", 1))
    with opened(page) as browser:
        assert complaints(browser) == []
        assert browser.evaluate("document.querySelectorAll('#results tbody tr').length") > 0


@pytest.mark.slow
def test_a_phone_needs_no_sideways_scrolling(page: Path) -> None:
    with opened(page, width=390, phone=True) as browser:
        assert browser.evaluate("document.documentElement.scrollWidth") == 390
        assert (
            browser.evaluate("Math.max(...[...document.querySelectorAll('.plot svg')].map((svg) => svg.getBoundingClientRect().right))")
            <= 390
        )
        scrolled = "[...document.querySelectorAll('.legend .scrollbar')].filter((bar) => bar.getBoundingClientRect().height).length"
        assert browser.evaluate(scrolled) == 0, "a legend has room for its names"


@pytest.mark.slow
def test_an_opened_table_and_another_choice_are_shown(page: Path) -> None:
    with opened(page) as browser:
        opening = "(async (d) => {d.open = true; await new Promise((r) => setTimeout(r, 500)); return d.querySelectorAll('td').length})"
        assert browser.evaluate(f"{opening}(document.querySelector('#figure-0 details'))") == (4 * 4) * 10
        choosing = (
            "((s) => {s.value = '0'; s.dispatchEvent(new Event('change')); "
            "return [...s.closest('section').querySelectorAll('.pictures')].map((p) => p.hidden)})"
        )
        assert browser.evaluate(f"{choosing}(document.querySelector('#pareto select'))") == [False, True, True]


@pytest.mark.slow
def test_of_many_models_those_that_are_chosen_come_to_the_fore_on_all_figures(fill_store: FillStore, tmp_path: Path) -> None:
    url = fill_store(ranks=[0.1 * (place + 1) for place in range(9)])
    (page,) = report_sweep(ReportOptions(paths=Paths.resolve(home=tmp_path, store=url), sweep="small", output=tmp_path / "report.html"))
    choosing = """(async (details) => {
        const until = async (holds) => { while (!holds()) await new Promise((done) => setTimeout(done, 50)); };
        details.open = true;
        await until(() => details.querySelectorAll("label").length);
        const search = details.querySelector("[type=search]");
        search.value = "THETA 0.9, rank 0.3";
        search.dispatchEvent(new Event("input"));
        const found = [...details.querySelectorAll("label:not([hidden])")];
        found[0].querySelector("input").click();
        const plots = [...document.querySelectorAll("section:has(.models) figure .plot")].filter((plot) => plot.offsetParent);
        const chosen = () => plots.map((plot) => plot.data.filter((trace) => trace.meta === "chosen").map((trace) => trace.name));
        const all = (holds) => plots.every((plot) => plot.closest("figure").dataset.drawn === "done") && chosen().every(holds);
        await until(() => all((names) => names.length));
        const drawn = chosen();
        details.querySelector("button").click();
        await until(() => all((names) => !names.length));
        return [details.querySelectorAll("label").length, found.map((label) => label.textContent.trim()), drawn];
    })"""
    with opened(page) as browser:
        models, found, drawn = browser.evaluate(f"{choosing}(document.querySelector('#accuracy .models'))")
        assert (models, found) == (18, ["rank 0.3, theta 0.9"])
        assert len(drawn) >= 3
        assert all(name.endswith(found[0]) for (name,) in drawn)  # a training has its stage before that
        assert complaints(browser) == []


def test_paper_has_every_figure_and_every_row_at_once_and_the_screen_what_it_had(fill_store: FillStore, tmp_path: Path) -> None:
    url = fill_store(ranks=[(place + 1) / 18 for place in range(18)])
    options = ReportOptions(paths=Paths.resolve(home=tmp_path, store=url), sweep="small", output=tmp_path / "report.html")
    (page,) = report_sweep(options)
    seen = """[
        [...document.querySelectorAll("figure")].filter((one) => one.offsetParent && !one.querySelector(".main-svg")).length,
        document.querySelectorAll("#results tbody tr").length,
        document.querySelectorAll("#verdicts details[open]").length,
    ]"""
    skip_without_browser()
    with Browser() as browser:
        browser.open(page)  # of a usual height: what is below is not drawn
        assert browser.evaluate(seen)[0] > 0
        assert browser.evaluate(f'(dispatchEvent(new Event("beforeprint")), {seen})') == [0, 36 * 3, 36]
        assert (
            browser.evaluate("Math.max(...[...document.querySelectorAll('table')].map((one) => one.offsetWidth * one.style.zoom))") <= 1011
        )
        browser.send("Emulation.setEmulatedMedia", media="print")
        heights = browser.evaluate("[...document.querySelectorAll('.plot')].map((one) => one.offsetHeight)")
        assert min(filter(None, heights)) == 350, "two go on a page, but where many models are named"
        browser.send("Emulation.setEmulatedMedia", media="")
        assert browser.evaluate(f'(dispatchEvent(new Event("afterprint")), {seen})') == [0, 100, 0]
        assert complaints(browser) == []


@pytest.mark.slow
def test_the_ground_follows_the_screen_while_the_page_is_open(page: Path) -> None:
    with opened(page) as browser:
        browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        waiting = "new Promise((done) => setTimeout(() => done(document.querySelector('#figure-0 .xtick text').style.fill), 1500))"
        assert browser.evaluate(waiting) == "rgb(215, 221, 228)"


def test_names_with_markup_run_nothing_and_are_shown_as_they_are(fill_store: FillStore, tmp_path: Path) -> None:
    environment = Environment(host=HOSTILE, device=HOSTILE, threads=1, git_revision=None, versions={HOSTILE: HOSTILE})
    url = fill_store(sweep=HOSTILE, space=HOSTILE, environment=environment, error=HOSTILE)
    (page,) = report_sweep(ReportOptions(paths=Paths.resolve(home=tmp_path, store=url), sweep=HOSTILE, output=tmp_path / "report.html"))
    with opened(page) as browser:
        assert browser.evaluate("document.title") == f"{HOSTILE}: robustsweep report"
        assert browser.evaluate("document.querySelector('h1').textContent") == HOSTILE
        assert browser.evaluate("document.images.length + document.querySelectorAll('a:not(nav a):not(.skip)').length") == 0
        assert complaints(browser) == []


@pytest.mark.parametrize("form", ["svg", "png", "pdf"])
@pytest.mark.slow
def test_figures_are_written_as_images(fill_store: FillStore, tmp_path: Path, form: str) -> None:
    skip_without_browser()
    options = ReportOptions(
        paths=Paths.resolve(home=tmp_path, store=fill_store()),
        sweep="small",
        output=tmp_path / "r.html",
        figures=tmp_path / "figures",
        image=form,
        style=PaperStyle(width=3.25, font_size=8, has_title=False),
        only=("accuracy_epsilon", "training"),
    )  # type: ignore[arg-type]
    _, *images = report_sweep(options)
    assert len(images) == len(set(images)) == 3
    content = images[0].read_bytes()
    if form == "svg":
        assert content.startswith(b"<svg")
        assert b'width="312"' in content
        assert b"8/255" in content
        assert "θ".encode() in content
        assert b"Accuracy against" not in content
    elif form == "pdf":
        assert b"/MediaBox [0 0 234 " in content
    else:
        picture = np.asarray(Image.open(BytesIO(content)).convert("RGB"))
        assert picture.shape[1:] == (3 * 312, 3)
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > FEWEST_COLOURS


def test_without_a_browser_images_fail_in_one_line_before_anything_is_written(
    fill_store: FillStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BROWSER_VARIABLE, "no-such-browser")
    options = ReportOptions(
        paths=Paths.resolve(home=tmp_path, store=fill_store()), sweep="small", output=tmp_path / "r.html", figures=tmp_path / "figures"
    )
    with pytest.raises(UserError, match=f"images need Chromium or Chrome: {BROWSER_VARIABLE}=no-such-browser is no program"):
        report_sweep(options)
    assert not (tmp_path / "r.html").exists()


def test_a_browser_that_ends_at_once_is_one_line(monkeypatch: pytest.MonkeyPatch, fill_store: FillStore, tmp_path: Path) -> None:
    monkeypatch.setenv(BROWSER_VARIABLE, "false")
    options = ReportOptions(
        paths=Paths.resolve(home=tmp_path, store=fill_store()), sweep="small", output=tmp_path / "r.html", figures=tmp_path / "figures"
    )
    with pytest.raises(UserError, match="browser: it ended or did not answer within 60 s"):
        report_sweep(options)


@pytest.mark.slow
def test_the_browser_listens_on_no_port(page: Path) -> None:
    """The same browser, with the same options, as Kaleido's."""
    with opened(page):
        family = psutil.Process().children(recursive=True)
        assert any("--remote-debugging-pipe" in process.cmdline() for process in family)
        assert [at for process in family for at in process.net_connections("inet") if at.status == psutil.CONN_LISTEN] == []


@pytest.mark.slow
def test_the_results_are_sorted_by_a_click_as_numbers_and_searched_by_words(page: Path) -> None:
    with opened(page) as browser:

        def column(title: str) -> list[str]:
            head = f"[...document.querySelectorAll('#results th')].findIndex((head) => head.textContent === '{title}')"
            cells = f"[...document.querySelectorAll('#results tbody tr')].map((row) => row.cells[{head}].textContent)"
            found: list[str] = browser.evaluate(cells)
            return found

        def click(title: str) -> None:
            browser.evaluate(f"[...document.querySelectorAll('#results th')].find((head) => head.textContent === '{title}').click()")

        def search(words: str) -> None:
            typed = f"((box) => {{box.value = '{words}'; box.dispatchEvent(new Event('input'))}})"
            browser.evaluate(f"{typed}(document.querySelector('#results input'))")

        before = column("epsilon")
        click("epsilon")
        assert column("epsilon") == sorted(before, key=lambda epsilon: int(epsilon.split("/")[0]))
        click("epsilon")
        assert column("epsilon") == sorted(before, key=lambda epsilon: -int(epsilon.split("/")[0]))
        search("FGSM epsilon=8/255")
        assert (set(column("attack")), set(column("epsilon"))) == ({"fgsm"}, {"8/255"})
        search("nothing like it")
        assert column("epsilon") == []


def test_a_keyboard_skips_the_list_of_sections_and_sorts_a_table(page: Path) -> None:
    with opened(page) as browser:
        press(browser, "Tab", 9)
        assert browser.evaluate("document.activeElement.textContent") == "Skip the list of sections"
        assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        press(browser, "Enter", 13, "\r")
        assert browser.evaluate("document.activeElement.id") == "content"
        press(browser, "Tab", 9)
        assert browser.evaluate("document.querySelector('main').contains(document.activeElement)")
        browser.evaluate("document.querySelector('#results th').focus()")
        for key, text, said in ((32, " ", "ascending"), (13, "\r", "descending")):
            press(browser, "Enter" if key == 13 else " ", key, text)
            assert browser.evaluate("document.activeElement.ariaSort") == said


def press(browser: Browser, key: str, code: int, text: str = "") -> None:
    said = {"key": key, "windowsVirtualKeyCode": code, "text": text}
    browser.send("Input.dispatchKeyEvent", type="keyDown", **said)
    browser.send("Input.dispatchKeyEvent", type="keyUp", **said)
