"""A page in a real browser, for tests; skipped, with the reason, where there is none."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from orchestrator.report.browser import Browser, find_browser
from workers.errors import UserError

_COMPLAINTS = {"Runtime.exceptionThrown", "Log.entryAdded"}
_DRAWN = (
    "[...document.querySelectorAll('figure')].filter((figure) => figure.offsetParent).every((figure) => figure.dataset.drawn === 'done')"
)


@contextmanager
def opened(page: Path, *, width: int = 1280, dark: bool = False, phone: bool = False) -> Iterator[Browser]:
    """The page as a screen of that width shows it, tall enough that nothing has to be scrolled into view, every figure drawn."""
    try:
        program = find_browser()
    except UserError as error:
        pytest.skip(str(error))
    with Browser(program) as browser:
        browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        browser.send("Emulation.setDeviceMetricsOverride", width=width, height=9000, deviceScaleFactor=1, mobile=phone)
        browser.open(page)
        _wait(browser, _DRAWN)
        yield browser


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
