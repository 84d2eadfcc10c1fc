"""Moves between the pages of the dashboard."""

from collections.abc import Callable

import streamlit as st

_PAGES: dict[str, st.Page] = {}


def page(title: str, function: Callable[[], None], *, default: bool = False) -> st.Page:
    """Register a page of the menu by its title."""
    _PAGES[title] = st.Page(function, title=title, url_path=title.lower(), default=default)
    return _PAGES[title]


def go_to(title: str) -> None:
    """Show the page of that title, and keep all choices."""
    st.switch_page(_PAGES[title])
