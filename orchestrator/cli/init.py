"""`robustsweep init`: a space and a plugin to begin with."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from workers.errors import UserError, os_reason

_TEMPLATES = {".py": "plugin.py.txt", ".yaml": "space.yaml.txt"}


@command(group="run")
def init(name: Annotated[str, typer.Argument(help="Of the two files.")] = "mine") -> None:
    """Write NAME.yaml and NAME.py here: a commented space, and a network, a data set and an attack of one's own to change."""
    from orchestrator.terminal import hints

    for path in _write_starter(name):
        typer.echo(path)
    typer.echo(f"run it: {hints.command('launch', f'{name}.yaml')}")


def _write_starter(name: str) -> list[Path]:
    """Write NAME.py and NAME.yaml and return their paths.

    Raises:
        UserError: this is no name of a Python module, one of the files is there already, or cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,60}", name):
        raise UserError(f"init {name!r}: must be a letter, then letters, digits or _: NAME.py is a Python file")
    starter = files("orchestrator.cli") / "starter"
    texts = {Path(f"{name}{suffix}"): (starter / file).read_text("utf-8") for suffix, file in _TEMPLATES.items()}
    if there := [path.name for path in texts if path.exists()]:
        raise UserError(f"init {name}: {' and '.join(there)} {'is' if len(there) == 1 else 'are'} there already; give another name")
    try:
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text.replace("NAME", name))
    except OSError as error:
        raise UserError(f"init {name}: {path.name}: {os_reason(error)}") from error
    return list(texts)
