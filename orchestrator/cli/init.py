"""`robustsweep init`: a space and a plugin to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command


@command(group="run")
def init(name: Annotated[str, typer.Argument(help="Of the two files.")] = "mine") -> None:
    """Write NAME.yaml and NAME.py here: a commented space, and a network, a data set and an attack of one's own to change."""
    from orchestrator.launching.starter_files import write_starter
    from orchestrator.terminal import hints

    for path in write_starter(name, Path()):
        typer.echo(path)
    typer.echo(f"run it: {hints.command('launch', f'{name}.yaml')}")
