"""The `robustsweep` command. Every module next to this one may hold a command, which registers itself as it is imported; what is heavy is
imported inside of commands, so that `--help` answers at once."""

import atexit
import gc
import pkgutil
import sys
from importlib import import_module
from itertools import pairwise

import typer

from orchestrator import cli
from orchestrator.cli.app import app
from orchestrator.terminal.passwords import hide_arguments
from workers.errors import UserError
from workers.visible_text import show_control_characters, visible

__all__ = ["app", "main"]

_PLACES = ("--home", "--store", "--data", "--artifacts", "--output", "-o", "--out", "--figures", "--plugin")
_SELDOM = 100_000
"""Values that are made before unused ones are looked for: commands keep what they import and read to their end, and looking through it as
often as Python does (each 700) takes a sixth of their time."""

for _module in pkgutil.iter_modules(cli.__path__):
    if _module.name != "main":
        import_module(f"{cli.__name__}.{_module.name}")


def main() -> None:
    """Run the program: a user error gets one line (or one per problem) and exit code 2, and so does a file or database that fails, or holds
    what it should not, with exit code 1; never a traceback."""
    gc.set_threshold(_SELDOM)
    atexit.register(gc.freeze)  # nor is anything looked for as the process ends
    show_control_characters()
    try:
        _refuse_empty_paths(sys.argv[1:])
        hide_arguments()
        _run()
    except UserError as error:
        typer.echo(visible(f"robustsweep: {error}", keep="\n"), err=True)  # else Click leaves out what it shows on a terminal
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `robustsweep results | head`
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that vanished
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(visible(f"robustsweep: {where}{error.strerror or error}"), err=True)
        sys.exit(1)


def _refuse_empty_paths(arguments: list[str]) -> None:
    """Refuse an option of a place that is empty, as an unset variable of a script makes it; it would be the current folder or the default.

    Raises:
        UserError: there is one.
    """
    for option, value in pairwise([*arguments, ""]):
        name, equals, own = option.partition("=")
        if name in _PLACES and not (own if equals else value):
            raise UserError(f"{name} '': must name a place; leave it out for the default")


def _run() -> None:
    """Run the command; an error that comes of a wrong value in a database names that."""
    try:
        app()
    except OSError:
        raise
    except Exception as error:
        from orchestrator.store.maintenance.wrong_values import wrong_value_behind

        if (reason := wrong_value_behind(error)) is None:
            raise
        raise reason from error


if __name__ == "__main__":
    main()
