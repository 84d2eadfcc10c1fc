"""The dashboard as a user has it: the command as a process of its own, and a browser on its pages."""

import base64
import io
import json
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

from tests.browsers import Browser
from tests.commands import PROGRAM, environment

VIVID = 60
_SECONDS = 240.0
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


_FIELD = """[...document.querySelectorAll('[data-testid="stMultiSelect"], [data-testid="stSelectbox"]')]
  .find(box => box.querySelector('label').innerText.trim() === %s).querySelector('input')"""

_OPTION = """(() => {
  const found = [...document.querySelectorAll('[role=option]')].find(option => option.innerText.trim() === %s);
  if (!found) return null;
  const box = found.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""

_CELLS = """(() => {
  const table = document.querySelector('[data-testid="stDataFrame"] canvas table');
  const head = [...(table?.querySelectorAll('th') ?? [])].find(cell => cell.innerText.trim() === %s);
  const number = head?.getAttribute('aria-colindex');
  const cells = [...(table?.querySelectorAll('td') ?? [])];
  return cells.filter(cell => cell.getAttribute('aria-colindex') === number).map(cell => cell.innerText);
})()"""


class Viewer:
    """A browser that looks at the pages."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser, self.address = browser, address

    def visit(self, page: str) -> None:
        """Load a page and wait until its script has run and everything is drawn."""
        self.browser.send("Page.navigate", url=f"{self.address}/{page}")
        wait(lambda: self.browser.evaluate(f"location.pathname === '/{page}' && {_READY}"))

    def count(self, selector: str) -> int:
        found: int = self.browser.evaluate(f"document.querySelectorAll({json.dumps(selector)}).length")
        return found

    def text(self) -> str:
        found: str = self.browser.evaluate("document.querySelector('[data-testid=\"stMain\"]').innerText")
        return found

    def column(self, title: str) -> list[str]:
        """The cells in view of the first table's column of that title."""
        found: list[str] = self.browser.evaluate(_CELLS % json.dumps(title))
        return found

    def pick(self, label: str, value: str) -> None:
        """Choose a value in the list under that label, by typing it."""
        self.browser.evaluate(_FIELD % json.dumps(label) + ".focus()")
        self.browser.send("Input.insertText", text=value)
        x, y = wait(lambda: self.browser.evaluate(_OPTION % json.dumps(value)))
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.browser.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, *, times: int = 1, shift: bool = False) -> None:
        """Press `Tab`, `ArrowDown` or the space bar."""
        code = {"Tab": 9, "ArrowDown": 40, " ": 32}[key]
        named = {"key": key, "code": key.strip() or "Space", "windowsVirtualKeyCode": code, "modifiers": 8 * shift}
        for _ in range(times):
            for kind in ("rawKeyDown", "keyUp"):
                self.browser.send("Input.dispatchKeyEvent", type=kind, **named)

    def colours(self, selector: str, *, vivid: bool = False) -> int:
        """How many colours, or vivid ones, the first element of that selector has on the screen; axes and letters are greyish."""
        self.browser.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView()")
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y, width, height = self.browser.evaluate(f"(e => [e.x + scrollX, e.y + scrollY, e.width, e.height])({box})")
        if not width * height:
            return 0  # a picture that has not been loaded yet
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        shot = self.browser.send("Page.captureScreenshot", format="png", clip=clip)
        image = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
        found = [colour for _, colour in image.getcolors(maxcolors=1 << 24)]
        return len([colour for colour in found if max(colour) - min(colour) > VIVID] if vivid else found)

    def hosts(self) -> set[str]:
        """Whom the pages asked for anything."""
        urls = [event["params"]["request"]["url"] for event in self.browser.events if event.get("method") == "Network.requestWillBeSent"]
        return {url.split("/")[2] for url in urls if url.startswith(("http", "ws"))}
