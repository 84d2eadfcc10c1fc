"""Every command with its arguments and options, as `--help` has them."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from docs.generate.tables import code, table
from orchestrator.cli.app import GROUPS
from orchestrator.cli.main import app

_NOTES = re.compile(r"\s*(?=\[(?:env var|default|required))")


def commands() -> str:
    """The commands by the groups of `--help`."""
    program: Any = typer.main.get_command(app)
    parts = []
    for group, heading in GROUPS.items():
        found = [one for one in program.commands.values() if one.rich_help_panel == group]
        parts += [f"## {heading}", *(part for one in sorted(found, key=lambda one: one.name) for part in _described(one, ("robustsweep",)))]
    return "\n\n".join(parts)


def _described(command: Any, parents: tuple[str, ...]) -> Iterator[str]:
    path = (*parents, command.name)
    nested = getattr(command, "commands", {})
    if len(parents) == 1 or not nested:
        yield f"{'#' * (len(path) + 1)} {' '.join(path[1:])}"
        yield " ".join((command.help or "").split())
    if nested:
        for one in nested.values():
            yield from _described(one, path)
        return
    with command.make_context(command.name, [], resilient_parsing=True) as context:
        shown = [one for one in command.params if not getattr(one, "hidden", False) and one.name != "plugins"]
        needed = [one.opts[0].upper() for one in shown if one.param_type_name == "argument"]
        yield code(" ".join([*path, *needed, "[OPTIONS]"]))
        if shown:
            yield table(("", "what it is", "default"), [_row(one, context) for one in shown])


def _row(parameter: Any, context: Any) -> tuple[str, str, str]:
    """An argument or option, what `--help` says of it, and its default and environment variable."""
    flags, text = parameter.get_help_record(context)
    about, *notes = _NOTES.split(" ".join(text.split()))
    said = dict(part.partition(": ")[::2] for note in notes for part in note.strip(" []").replace("] [", "; ").split("; "))
    variable = f" Also by {code(said['env var'])}." if "env var" in said else ""
    default = "required" if "required" in said else said.get("default", "")
    named = parameter.opts[0].upper() if parameter.param_type_name == "argument" else flags
    if "|" in named:  # a cell of the first column is as narrow as it can be: choices are said next to it
        named, _, choices = named.partition(" <")
        about += f" One of {', '.join(map(code, choices.rstrip('>').split('|')))}."
    return code(named), about + variable, default
