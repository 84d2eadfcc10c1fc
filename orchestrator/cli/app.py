"""The Typer app, and how commands enter it: each registers itself, in one of the groups that `--help` shows."""

from collections.abc import Callable
from inspect import getdoc
from typing import Annotated, Any, Literal, TypeVar

import typer
from typer.core import TyperGroup

Function = TypeVar("Function", bound=Callable[..., Any])
CommandGroup = Literal["run", "look", "share", "look after"]
_GROUPS: dict[str, str] = {
    "run": "Run sweeps",
    "look": "Look at them",
    "share": "Share results",
    "look after": "Look after the store",
}
_PLAIN: dict[str, Any] = {"no_args_is_help": True, "rich_markup_mode": None}


class GroupedCommands(TyperGroup):
    """Help with the commands by group, each with the whole of its first paragraph."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (Click's signature)
        found = {name: self.commands[name] for name in sorted(self.commands)}
        width = max(map(len, found), default=0)
        for group in dict.fromkeys([*_GROUPS, ""]):
            rows = [(f"{name:<{width}}", one.short_help or "") for name, one in found.items() if _group_of(one) == group]
            if rows:
                with formatter.section(_GROUPS.get(group, "Commands")):
                    formatter.write_dl(rows)


def _group_of(command: Any) -> str:
    panel = getattr(command, "rich_help_panel", None)
    return panel if panel in _GROUPS else ""


app = typer.Typer(
    name="robustsweep",
    help="Sweeps of training and attack jobs for robust, randomised, tensorized networks: every job computed once, every result in SQL.",
    cls=GroupedCommands,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    **_PLAIN,
)


def command(*, group: CommandGroup, name: str | None = None) -> Callable[[Function], Function]:
    """Register a function as a command under its name; the first paragraph of its docstring follows the name in the help."""
    return _registrar(app, name=name, rich_help_panel=group)


def subcommands(name: str, *, group: CommandGroup, about: str) -> Callable[..., Callable[[Function], Function]]:
    """A command that has commands of its own; the result registers one of them, as `command` does."""
    nested = typer.Typer(help=about, cls=GroupedCommands, **_PLAIN)
    app.add_typer(nested, name=name, rich_help_panel=group, short_help=about)
    return lambda name=None: _registrar(nested, name=name)


def _registrar(where: typer.Typer, **more: Any) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        first = " ".join((getdoc(function) or "").partition("\n\n")[0].split())
        return where.command(short_help=first, **more)(function)

    return register


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"robustsweep {version('robustsweep')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Launch sweeps, ask for their results."""
