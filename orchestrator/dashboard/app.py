"""Application that `robustsweep dashboard` runs in Streamlit: its pages, and an error message where one cannot be shown."""

import streamlit as st

from orchestrator.dashboard import pages
from orchestrator.dashboard.elements import problem
from workers.errors import ArtifactError, DataError, UserError
from workers.plugins import load_plugins, named_in_environment


def main() -> None:
    st.set_page_config(page_title="robustsweep", layout="wide")
    load_plugins(named_in_environment())
    page = st.navigation(pages.all_pages(), position="top")
    try:
        page.run()
    except (UserError, ArtifactError, DataError) as error:
        problem("This cannot be shown:", str(error))


if __name__ == "__main__":
    main()
