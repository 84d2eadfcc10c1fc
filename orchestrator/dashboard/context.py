"""Context of the dashboard: its pages, places from the environment, the clock and colours of the reader's browser."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from orchestrator.paths import DEFAULT_HOME, Paths
from orchestrator.store import Store, open_store

_PAGES: dict[str, st.Page] = {}


def page(title: str, function: Callable[[], None]) -> st.Page:
    """Register a page of the menu by its title."""
    _PAGES[title] = st.Page(function, title=title, url_path=title.lower())
    return _PAGES[title]


def start_page(shown: st.Page) -> st.Page:
    """Return the page at `/`, which shows another: Streamlit serves the page that is the default at no address but that."""

    def start() -> None:
        st.switch_page(shown, query_params=st.query_params.to_dict())

    return st.Page(start, title=shown.title, url_path="start", default=True, visibility="hidden")


def go_to(title: str) -> None:
    """Show the page of that title, and keep all choices."""
    st.switch_page(_PAGES[title])


def paths() -> Paths:
    """Return the places given to `robustsweep dashboard`, which passes them to its child in the environment."""
    home = Path(os.environ.get("ROBUSTSWEEP_HOME") or DEFAULT_HOME)
    store, artifacts = os.environ.get("ROBUSTSWEEP_STORE"), os.environ.get("ROBUSTSWEEP_ARTIFACTS")
    return Paths.resolve(home=home, store=store, data=os.environ.get("ROBUSTSWEEP_DATA"), artifacts=artifacts)


@contextmanager
def opened() -> Iterator[Store]:
    """Open the store for reading, anew each time: it may be upgraded or moved while the dashboard runs.

    Raises:
        UserError: it is not there, or is not one of ours.
    """
    with open_store(paths().store_url, upgrade=False) as store:
        yield store


def ground() -> str:
    """Return the viewer's theme: `light` or `dark`."""
    return "dark" if st.context.theme.type == "dark" else "light"


def time_zone() -> tzinfo:
    """Return the viewer's time zone; UTC where the browser does not report one."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def at(time: datetime | None) -> str:
    """Format a time by the viewer's clock."""
    return "never" if time is None else f"{time.astimezone(time_zone()):%Y-%m-%d %H:%M}"
