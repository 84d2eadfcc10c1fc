"""The command, and every page in a real browser."""

import shutil
import signal
import socket
from pathlib import Path

import psutil
import pytest

from tests.browsers import Browser
from tests.commands import robustsweep
from tests.orchestrator.dashboard.served import Viewer, dashboard, wait

BLANK = 20  # colours that an empty image, its rounded corners included, may have
FIGURES = ("progress", "figures", "models", "surfaces")
needs_browser = pytest.mark.skipif(shutil.which("chromium") is None and shutil.which("google-chrome") is None, reason="no Chromium here")


@needs_browser
@pytest.mark.slow
def test_every_page_is_drawn_and_a_filter_changes_the_table(swept: Path) -> None:
    with dashboard(swept) as (_, address), Browser() as browser:
        viewer = Viewer(browser, address)
        for page in ("progress", "results", "figures", "search", "models", "examples", "surfaces"):
            viewer.visit(page)
            assert browser.evaluate("document.title") == f"{page.capitalize()} - robustsweep"
            assert not viewer.count('[data-testid="stException"], [data-testid="stAlert"]'), f"{page}: {viewer.text()}"
            assert not viewer.count("[role=dialog]"), f"/{page} is not found"
            if page in FIGURES:
                wait(lambda: viewer.count(".js-plotly-plot .main-svg"))
                wait(lambda: viewer.colours(".js-plotly-plot .main-svg", vivid=True))
            if page == "examples":
                wait(lambda: viewer.count("[data-testid='stImage'] img") == 3)
                wait(lambda: viewer.colours("[data-testid='stImage'] img") > BLANK)
            if page == "results":
                wait(lambda: len(set(viewer.column("attack"))) > 1)
                viewer.pick("attack", "fgsm")
                wait(lambda: set(viewer.column("attack")) == {"fgsm"})
        browser.send("Page.navigate", url=f"{address}/?sweep=tiny")
        wait(lambda: browser.evaluate("location.pathname + location.search") == "/progress?sweep=tiny")
        assert viewer.hosts() == {address.removeprefix("http://")}, "a page asked another host"


@needs_browser
@pytest.mark.slow
def test_a_row_is_found_and_opened_by_the_keyboard_alone(swept: Path) -> None:
    focused = "document.activeElement"
    opens = "[...document.querySelectorAll('button')].find(button => button.innerText == 'Open the model')"
    with dashboard(swept) as (_, address), Browser() as browser:
        viewer = Viewer(browser, address)
        viewer.visit("results")
        viewer.press("Tab", times=3)
        assert browser.evaluate(f"[{focused}.innerText, getComputedStyle({focused}).outlineStyle]") == ["Results", "solid"]
        wait(lambda: viewer.press("Tab") or browser.evaluate(f"['CANVAS', 'TD'].includes({focused}.tagName)"))
        viewer.press("ArrowDown")
        viewer.press(" ", shift=True)
        wait(lambda: browser.evaluate(f"!{opens}.disabled"))
        wait(lambda: viewer.press("Tab") or browser.evaluate(f"{focused} == {opens}"))
        viewer.press(" ")
        wait(lambda: browser.evaluate("location.pathname == '/models'"))


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGKILL, -signal.SIGKILL),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
    ],
)
def test_it_listens_on_this_machine_alone_tells_no_password_and_its_server_ends_with_it(
    number: signal.Signals, code: int, swept: Path
) -> None:
    with dashboard(swept, "--home", "sweeps") as (process, address):
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        server = next(child for child in family if "streamlit" in " ".join(child.cmdline()))
        assert "results.db" not in " ".join(server.cmdline()), "the store's URL may hold a password"
        assert {connection.laddr.ip for connection in server.net_connections() if connection.status == "LISTEN"} == {"127.0.0.1"}
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == code
        assert said.startswith(f"dashboard: {address}")
        assert "Traceback" not in said
        server.wait(timeout=60)


def test_a_taken_port_and_a_missing_store_are_one_line(swept: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = robustsweep("dashboard", "--port", port, cwd=swept)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"robustsweep: --port {port}: Address already in use; choose another\n"
    missing = robustsweep("dashboard", cwd=tmp_path)
    assert missing.returncode == 2
    assert "no such file" in missing.stderr
    assert missing.stderr.count("\n") == 1
