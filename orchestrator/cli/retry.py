"""`robustsweep retry`: try a sweep's failed jobs again."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from orchestrator.cli import launch as _launch  # registers the command
from orchestrator.cli.app import app, command
from orchestrator.cli.options import DEFAULT_HOME, Home, StoreUrl, SweepArgument, console
from orchestrator.cli.options import paths as _paths
from workers.errors import UserError


@command(group="run")
def retry(
    sweep: SweepArgument,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
) -> None:
    """Try SWEEP's failed jobs again, and what waits for them, by the command that launched it last."""
    from orchestrator.store import open_store, sweep_status
    from orchestrator.terminal.console import say, shell_command

    with open_store(_paths(home, store).store_url, upgrade=False) as opened:
        (status,) = sweep_status(opened, sweep)
    if not (failed := status.totals["failed"]):
        say(console(), f"sweep {sweep}: no job has failed; there is nothing to retry")
        return
    if status.command is None:
        raise UserError(f"retry {sweep}: the command that launched it was not recorded then; launch its space again")
    words = [_launch.launch.__name__, *_elsewhere(shlex.split(status.command)[2:], home, store)]
    say(console(), f"sweep {sweep}: {failed} failed jobs; again: {shell_command(['robustsweep', *words])}")
    program: Any = typer.main.get_command(app)
    raise typer.Exit(program.main(words, standalone_mode=False) or 0)


def _elsewhere(words: Sequence[str], home: Path, store: str | None) -> Iterator[str]:
    """The words of a command, with this home and this store in place of its own."""
    left = iter(words)
    for word in left:
        if word in ("--home", "--store"):
            next(left, None)
        else:
            yield word
    yield from ["--home", str(home)] if home != DEFAULT_HOME else []
    yield from ["--store", store] if store is not None else []
