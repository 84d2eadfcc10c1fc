"""`robustsweep export-model`: a trained model as one file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, Home, StoreUrl, paths
from workers.errors import UserError

if TYPE_CHECKING:
    from workers.artifacts.artifacts import Artifacts

_LOADED_BY = {
    ".safetensors": "import robustsweep as rs; net = rs.load_model({file!r})",
    ".pt2": "import torch; net = torch.export.load({file!r}).module()",
    ".onnx": "import onnxruntime; net = onnxruntime.InferenceSession({file!r}); net.run(['logits'], {{'inputs': array}})",
}


@command(group="share", name="export-model")
def export_model(
    key: Annotated[str, typer.Argument(help="The first four or more digits of the model's key: that of its training job.")],
    file: Annotated[Path, typer.Argument(help=f"The file to write, by its ending: {', '.join(_LOADED_BY)}.")],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
) -> None:
    """Write a trained model as one file: safetensors, which `rs.load_model` makes a torch.nn.Module again, without store and artifacts;
    or, of one that draws nothing (theta 1), a program that runs without robustsweep: .pt2 for `torch.export.load`, .onnx for the rest."""
    from orchestrator.paths import write_atomically
    from orchestrator.store import open_store
    from orchestrator.store.reading.job_details import find_key

    if file.suffix not in _LOADED_BY:
        raise UserError(f"{file}: must end in one of {', '.join(_LOADED_BY)}")
    where = paths(home, store, artifacts=artifacts)
    with open_store(where.store_url, upgrade=False) as opened:
        found = find_key(opened, key)
    write_atomically(file, _content_of(file.suffix)(where.artifacts, found))
    typer.echo(f"{file}")
    typer.echo(f"load it: {_LOADED_BY[file.suffix].format(file=str(file))}")


def _content_of(suffix: str) -> "Callable[[Artifacts, str], bytes]":
    if suffix == ".safetensors":
        from workers.runtime.stored_models import model_file

        return model_file
    from workers.runtime.model_program import onnx_file, pt2_file

    return pt2_file if suffix == ".pt2" else onnx_file
