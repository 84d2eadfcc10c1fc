"""`robustsweep dashboard`: pages that show sweeps as they run."""

from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, DataFolder, Home, StoreUrl
from orchestrator.cli.options import paths as _paths


@command(group="look")
def dashboard(
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: DataFolder = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8501,
) -> None:
    """Serve a live dashboard of sweeps and results to a browser on this machine."""
    from orchestrator.dashboard.server import serve

    raise typer.Exit(serve(_paths(home, store, data, artifacts=artifacts), port=port, say=typer.echo))
