"""`python -m docs.generate.pictures HOME FOLDER`: pictures of the sweep `quickstart` in HOME: of its report, HOME/report.html, of its table
in a terminal, and of the dashboard."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.text import Text

from orchestrator.terminal.console import Terminal
from tests.browsers import Browser, opened
from tests.orchestrator.dashboard.served import Viewer, dashboard, wait

_SWEEP = "quickstart"
_SHOWN = ("--where", "attack=pgd", "--where", "epsilon>=8/255", "--sort", "epsilon")
_COLUMNS = 110
_SCREEN = {"width": 1100, "height": 1000}
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # of a server elsewhere


def _report(page: Path, file: Path) -> None:
    """Write what a screen shows of the report: its answer, and the figure."""
    with opened(page, width=_SCREEN["width"]) as browser:
        _capture(browser, file)


def _terminal(command: list[str], home: Path, file: Path) -> None:
    """Write what a command prints as a picture of a terminal."""
    program = [sys.executable, "-m", "orchestrator.cli.main", *command, "--home", str(home)]
    environment = {**os.environ, "COLUMNS": str(_COLUMNS)}
    done = subprocess.run(program, check=True, capture_output=True, text=True, env=environment)  # noqa: S603 (our own program)
    with Path(os.devnull).open("w") as nowhere:
        console = Terminal(file=nowhere, record=True, width=_COLUMNS)
        console.print(Text(done.stdout), soft_wrap=True)
    file.write_text(_FONT_FACE.sub("", console.export_svg(title=f"robustsweep {' '.join(command)}")))


def _dashboard(home: Path, file: Path) -> None:
    """Write what the dashboard shows of a figure."""
    with dashboard(Path.cwd(), "--home", str(home)) as (_, address), Browser() as browser:
        browser.send("Emulation.setDeviceMetricsOverride", **_SCREEN, deviceScaleFactor=1, mobile=False)
        viewer = Viewer(browser, address)
        viewer.visit("figures")
        wait(lambda: viewer.colours(".js-plotly-plot .main-svg", vivid=True))
        browser.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollTo(0, 0)")
        _capture(browser, file)


def _capture(browser: Browser, file: Path) -> None:
    clip = {"x": 0, "y": 0, **_SCREEN, "scale": 1}
    file.write_bytes(base64.b64decode(browser.send("Page.captureScreenshot", format="png", clip=clip)["data"]))


if __name__ == "__main__":
    found, folder = Path(sys.argv[1]), Path(sys.argv[2])
    _report(found / "report.html", folder / "report.png")
    _terminal(["results", _SWEEP, *_SHOWN], found, folder / "results.svg")
    _dashboard(found, folder / "dashboard.png")
