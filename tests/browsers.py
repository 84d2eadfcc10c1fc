"""A page in a real browser, for tests; skipped, with the reason, where there is none."""

import asyncio
import base64
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import choreographer
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from orchestrator.report.browser import browser_options, find_browser
from workers.errors import UserError

_COMPLAINTS = {"Runtime.exceptionThrown", "Log.entryAdded"}
_SECONDS = 240.0
_DRAWN = (
    "[...document.querySelectorAll('figure')].filter((figure) => figure.offsetParent).every((figure) => figure.dataset.drawn === 'done')"
)


class Browser:
    """One browser with one page. A context manager; events that the page caused so far are in `events`."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._browser = choreographer.Browser(**browser_options())

    def __enter__(self) -> Self:
        try:
            self._wait(self._browser.open())
            self._tab = self._wait(self._browser.create_tab("about:blank"))
            self._tab.subscribe("*", self._note)
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.send(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._wait(self._browser.close())
        self._loop.close()

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the Chrome DevTools Protocol and return its result."""
        answer = self._wait(self._tab.send_command(method, parameters))
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, page: Path) -> None:
        """Load a file and wait until it is loaded, its scripts run."""
        self._wait(self._open(page.absolute().as_uri()))

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is awaited."""
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def _open(self, address: str) -> None:
        loaded = self._tab.subscribe_once("Page.loadEventFired")
        await self._tab.send_command("Page.navigate", {"url": address})
        await loaded

    async def _note(self, event: Any) -> None:
        self.events.append(event)

    def _wait(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(step, _SECONDS))


@contextmanager
def opened(page: Path, *, width: int = 1280, dark: bool = False, phone: bool = False) -> Iterator[Browser]:
    """The page as a screen of that width shows it, tall enough that nothing has to be scrolled into view, every figure drawn."""
    skip_without_browser()
    with Browser() as browser:
        browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        browser.send("Emulation.setDeviceMetricsOverride", width=width, height=9000, deviceScaleFactor=1, mobile=phone)
        browser.open(page)
        _wait(browser, _DRAWN)
        yield browser


def skip_without_browser() -> None:
    try:
        find_browser()
    except UserError as error:
        pytest.skip(str(error))


def complaints(browser: Browser) -> list[object]:
    """Errors and console messages of the page."""
    console = [event for event in browser.events if event.get("method") == "Runtime.consoleAPICalled"]
    return console + [event["params"] for event in browser.events if event.get("method") in _COMPLAINTS]


def requests(browser: Browser) -> list[str]:
    """The addresses that the page asked for, but for those that hold their own content."""
    found = [event["params"]["request"]["url"] for event in browser.events if event.get("method") == "Network.requestWillBeSent"]
    return [address for address in found if not address.startswith(("data:", "blob:"))]


def pixels(browser: Browser, selector: str) -> NDArray[np.uint8]:
    """What an element looks like, (height, width, 3)."""
    box = browser.evaluate(
        f"(({{x, y, width, height}}) => [x, y, width, height])(document.querySelector('{selector}').getBoundingClientRect())"
    )
    clip = dict(zip(("x", "y", "width", "height"), box, strict=True)) | {"scale": 1}
    shot = browser.send("Page.captureScreenshot", format="png", clip=clip)["data"]
    return np.asarray(Image.open(BytesIO(base64.b64decode(shot))).convert("RGB"))


def _wait(browser: Browser, condition: str, *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not browser.evaluate(condition):
        assert time.monotonic() < end, f"still not so after {seconds:g} s: {condition}"
        time.sleep(0.1)
