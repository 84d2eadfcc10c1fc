"""Pages of the dashboard by their names: each links to others."""

from collections.abc import Callable

import streamlit as st


def all_pages() -> list[st.Page]:
    """Return every page, in the order of the menu; the first one is the start page."""
    from orchestrator.dashboard import examples_page, figures_page, models_page, progress_page, results_page, surfaces_page

    return [
        _page("Progress", progress_page.page, default=True),
        _page("Results", results_page.page),
        _page("Figures", figures_page.page),
        _page("Models", models_page.page),
        _page("Examples", examples_page.page),
        _page("Surfaces", surfaces_page.page),
    ]


def go_to(title: str) -> None:
    """Show the page of that title, and keep all choices."""
    st.switch_page(next(page for page in all_pages() if page.title == title))


def _page(title: str, function: Callable[[], None], *, default: bool = False) -> st.Page:
    return st.Page(function, title=title, url_path=title.lower(), default=default)
