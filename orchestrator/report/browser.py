"""The browser that draws figures as files."""

import os
import shutil
from collections.abc import Sequence
from typing import Any

from choreographer.browsers import Chromium

from workers.errors import UserError

BROWSER_VARIABLE = "ROBUSTSWEEP_BROWSER"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")


def find_browser() -> str:
    """Return the path of a Chromium: the one that `ROBUSTSWEEP_BROWSER` names, else the first that is found.

    Raises:
        UserError: there is none.
    """
    named = os.environ.get(BROWSER_VARIABLE)
    found = next((path for name in ([named] if named else _BROWSERS) if (path := shutil.which(name))), None)
    if found is None:
        absent = f"none of {', '.join(_BROWSERS)} is installed; {BROWSER_VARIABLE} may name one"
        reason = f"{BROWSER_VARIABLE}={named} is no program" if named else absent
        raise UserError(f"images need Chromium or Chrome: {reason}")
    return found


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
