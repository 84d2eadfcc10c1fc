"""`robustsweep export-model`: a trained model as one file."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, Home, StoreUrl, paths


@command(group="share", name="export-model")
def export_model(
    key: Annotated[str, typer.Argument(help="The first four or more digits of the model's key: that of its training job.")],
    file: Annotated[Path, typer.Argument(help="The file to write: safetensors.")],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
) -> None:
    """Write a trained model as one safetensors file, which `rs.load_model` makes a torch.nn.Module again, without store and artifacts."""
    from orchestrator.paths import write_atomically
    from orchestrator.store import open_store
    from orchestrator.store.reading.job_details import find_key
    from workers.runtime.stored_models import model_file

    where = paths(home, store, artifacts=artifacts)
    with open_store(where.store_url, upgrade=False) as opened:
        found = find_key(opened, key)
    write_atomically(file, model_file(where.artifacts, found))
    typer.echo(f"{file}")
    typer.echo(f"load it: import robustsweep as rs; net = rs.load_model({str(file)!r})")
