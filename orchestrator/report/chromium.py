"""The browser that draws figures as files: the machine's own Chromium, asked through a pipe, so that nothing listens on any port.

Kaleido asks it. Measured with release 1.5 against a driver of our own: the same bytes for a PNG, 0.3 s for a picture instead of 0.15, no
listening socket, and no download where it is told which browser to take and that there is no MathJax.
"""

import os
from collections.abc import Sequence
from typing import Any

from choreographer.browsers import Chromium

from orchestrator.report.requirements import find_browser

_LOOSE = {"--disable-web-security", "--allow-file-access-from-files"}  # pages hold names that anybody may have chosen
_QUIET = ("--disable-background-networking", "--disable-default-apps")


class StrictChromium(Chromium):
    """A Chromium in which a page reads no other file."""

    def get_cli(self) -> Sequence[str]:
        return [*(option for option in super().get_cli() if option not in _LOOSE), *_QUIET]


def browser_options() -> dict[str, Any]:
    """The keyword arguments of a `Kaleido`, or of a `choreographer.Browser`, on the browser that `find_browser` finds.

    As root Chromium does not start with its sandbox; the only pages that it opens here are ours.

    Raises:
        UserError: there is no browser.
    """
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return {"path": find_browser(), "browser_cls": StrictChromium, "enable_sandbox": not is_root, "enable_extensions": False}
