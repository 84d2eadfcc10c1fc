"""`robustsweep surfaces`: loss surfaces as a page."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, Home, StoreUrl, SweepArgument, paths


@command(group="share")
def surfaces(
    sweep: SweepArgument,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write SWEEP-surfaces.html to.")] = Path(),
    epsilon: Annotated[str, typer.Option("--epsilon", help="Where to draw the circle, in input units.")] = "32/255",
) -> None:
    """Draw SWEEP's loss surfaces: one page with a contour plot for each model, which opens offline."""
    from orchestrator.report.surface_page import write_surface_page

    path, problems = write_surface_page(paths(home, store, artifacts=artifacts), sweep, folder=out, epsilon=epsilon)
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)
    typer.echo(path)
