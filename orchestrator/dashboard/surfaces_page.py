"""Page of the loss surfaces of a sweep, those that belong together side by side in one scale of colours."""

import streamlit as st

from orchestrator.dashboard.context import opened, paths
from orchestrator.dashboard.elements import choose_sweep, problem, show_picture
from orchestrator.naming.names import surface_family
from orchestrator.report.figures import loss_surfaces
from orchestrator.report.surface_grids import families, surface_draws, surface_grids


def page() -> None:
    """Show one family at a time, each draw by itself."""
    sweep = choose_sweep().name
    with opened() as store:
        grids, problems = surface_grids(store, paths().artifacts, sweep)
    if problems:
        problem("Surfaces whose artifact cannot be read:", "\n".join(problems))
    if not grids:
        st.info("This sweep has no loss surfaces; a space's section `surfaces` asks for them.")
        return
    rows = [grid.row for grid in grids]
    found = {f"{number}. {surface_family(family[-1].row, rows)}": family for number, family in enumerate(families(grids), 1)}
    label = st.selectbox("Around", list(found), key="surfaces")
    columns = st.columns(2)
    for place, (title, picture) in enumerate(loss_surfaces(surface_draws(found[label])).items()):
        with columns[place % 2]:
            st.text(title)
            show_picture(picture, key=f"{label} {title}")
