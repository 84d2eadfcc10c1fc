"""Pages of the dashboard by their names: each links to others."""

import streamlit as st

from orchestrator.dashboard import examples_page, figures_page, models_page, progress_page, results_page, surfaces_page
from orchestrator.dashboard.navigation import page


def all_pages() -> list[st.Page]:
    """Return every page, in the order of the menu; the first one is the start page."""
    return [
        page("Progress", progress_page.page, default=True),
        page("Results", results_page.page),
        page("Figures", figures_page.page),
        page("Models", models_page.page),
        page("Examples", examples_page.page),
        page("Surfaces", surfaces_page.page),
    ]
