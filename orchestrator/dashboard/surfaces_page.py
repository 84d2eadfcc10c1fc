"""The loss surfaces of a sweep, side by side in one scale of colours."""

import numpy as np
import streamlit as st

from orchestrator.dashboard.context import opened, places
from orchestrator.dashboard.elements import choose_sweep, problem, show_picture
from orchestrator.figures import Surface, loss_surfaces
from orchestrator.report.surfaces import SurfaceGrid, families, surface_grids

_DIRECTIONS = {"theta_one": "gradient direction at theta 1", "own": "own gradient direction"}


def page() -> None:
    """One family at a time: what belongs side by side."""
    sweep = choose_sweep().name
    with opened() as store:
        grids, problems = surface_grids(store, places().artifacts, sweep)
    if problems:
        problem("Surfaces whose artifact cannot be read:", "\n".join(problems))
    if not grids:
        st.info("This sweep has no loss surfaces; a space's section `surfaces` asks for them.")
        return
    found = {name(family): family for family in families(grids)}
    label = st.selectbox("Around", list(found), key="surfaces")
    pictures = loss_surfaces([_surface(grid) for grid in found[label]])
    columns = st.columns(2)
    for place, (title, picture) in enumerate(pictures.items()):
        with columns[place % 2]:
            st.text(title)
            show_picture(picture, key=f"{label} {title}")


def name(family: list[SurfaceGrid]) -> str:
    """What a family's surfaces have in common."""
    row = family[-1].row
    rank = "dense" if row.rank_fraction is None else f"rank {row.rank_fraction:g}"
    made = [rank, *(["binary"] if row.binary else []), *(word for word in (row.adversarial_training, row.defence) if word != "none")]
    direction = _DIRECTIONS.get(row.direction, row.direction)
    network = f"{row.model} width {row.width} {' '.join(made)}"
    return f"{row.dataset} example {row.example} (class {row.label}), {network}, seed {row.seed}, {direction}"


def _surface(grid: SurfaceGrid) -> Surface:
    label = f"theta {grid.row.theta:g}, {grid.row.sketch_modes}{'' if grid.row.rescale else ', not rescaled'} ({grid.row.job_key[:8]})"
    first = _DIRECTIONS.get(grid.row.direction, grid.row.direction)
    return Surface(label=label, losses=grid.losses, axis=np.asarray(grid.coordinates), first_direction=first)
