"""Application that `robustsweep dashboard` runs in Streamlit: its pages, and an error message where one cannot be shown."""

import streamlit as st

from orchestrator.dashboard import examples_page, figures_page, models_page, progress_page, results_page, search_page, surfaces_page
from orchestrator.dashboard.context import page, start_page
from orchestrator.dashboard.elements import problem
from workers.errors import ArtifactError, DataError, UserError
from workers.plugins import load_plugins, named_in_environment

# Streamlit marks the link of its menu that has the keyboard's focus by a grey of almost no contrast.
_FOCUS = "<style>[data-testid=stTopNavLink]:focus-visible {outline: 2px solid #0078b8; outline-offset: 2px}</style>"


def main() -> None:
    load_plugins(named_in_environment())
    pages = [
        page("Progress", progress_page.page),
        page("Results", results_page.page),
        page("Figures", figures_page.page),
        page("Search", search_page.page),
        page("Models", models_page.page),
        page("Examples", examples_page.page),
        page("Surfaces", surfaces_page.page),
    ]
    current = st.navigation([start_page(pages[0]), *pages], position="top")
    st.set_page_config(page_title=f"{current.title} - robustsweep", layout="wide")
    st.html(_FOCUS)
    st.header(current.title, anchor=False)
    st.caption("robustsweep")
    try:
        current.run()
    except (UserError, ArtifactError, DataError) as error:
        problem("This cannot be shown:", str(error))


if __name__ == "__main__":
    main()
