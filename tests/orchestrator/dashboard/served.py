"""The dashboard as a user has it: the command as a process of its own, and a browser on its pages."""

import base64
import io
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from orchestrator.report.browser import Browser
from tests.commands import PROGRAM, environment

_SECONDS = 90.0
_READY = """(() => {
  const app = document.querySelector('.stApp');
  return !!app && app.getAttribute('data-test-script-state') === 'notRunning'
    && document.querySelectorAll('[data-testid="stElementContainer"]').length > 1
    && !document.querySelector('[data-testid="stSkeleton"]');
})()"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def dashboard(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the address at which it answers."""
    port = free_port()
    command = [*PROGRAM, "dashboard", "--port", str(port), *options]
    process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait(lambda: answers(f"http://127.0.0.1:{port}/_stcore/health") or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=_SECONDS)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait(condition: Any) -> Any:
    """What the condition says, as soon as it is true."""
    end = time.monotonic() + _SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.1)
    return found


class Viewer:
    """A browser that looks at the pages."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser, self.address = browser, address

    def visit(self, page: str) -> None:
        """Load a page and wait until its script has run and everything is drawn."""
        self.browser.send("Page.navigate", url=f"{self.address}/{page}")
        wait(lambda: self.browser.evaluate(f"location.pathname === '/{page}' && {_READY}"))

    def count(self, selector: str) -> int:
        found: int = self.browser.evaluate(f"document.querySelectorAll({selector!r}).length")
        return found

    def text(self) -> str:
        found: str = self.browser.evaluate("document.querySelector('[data-testid=\"stMain\"]').innerText")
        return found

    def column(self, number: int) -> list[str]:
        """The cells of a column of the first table that are in view."""
        cells = f"[data-testid=\"stDataFrame\"] canvas td[aria-colindex='{number}']"
        found: list[str] = self.browser.evaluate(f"[...document.querySelectorAll({cells!r})].map(cell => cell.innerText)")
        return found

    def pick(self, label: str, value: str) -> None:
        """Choose a value in the list of that label, by typing it."""
        self.browser.evaluate(f"document.querySelector('input[aria-label*={label!r}]').focus()")
        self.browser.send("Input.insertText", text=value)
        for kind in ("rawKeyDown", "keyUp"):
            self.browser.send("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13)

    def colours(self, selector: str) -> int:
        """How many colours the first element of that selector has on the screen: a blank one has one or two."""
        self.browser.evaluate(f"document.querySelector({selector!r}).scrollIntoView()")
        edges = f"(e => [e.x + scrollX, e.y + scrollY, e.width, e.height])(document.querySelector({selector!r}).getBoundingClientRect())"
        x, y, width, height = self.browser.evaluate(edges)
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        shot = self.browser.send("Page.captureScreenshot", format="png", clip=clip)
        image = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
        return len(image.getcolors(maxcolors=1 << 24) or [])

    def hosts(self) -> set[str]:
        """Whom the pages asked for anything."""
        urls = [event["params"]["request"]["url"] for event in self.browser.events if event.get("method") == "Network.requestWillBeSent"]
        return {url.split("/")[2] for url in urls if url.startswith(("http", "ws"))}
