"""The Typer app, and how commands enter it: each registers itself, in one of the groups that `--help` shows."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from inspect import Parameter, getdoc, signature
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import typer
from typer.core import TyperGroup

Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        envvar="ROBUSTSWEEP_PLUGINS",
        metavar="FILE",
        help="A file or an installed distribution that registers components of your own; may be repeated.",
        show_default=False,
    ),
]
Function = TypeVar("Function", bound=Callable[..., Any])
CommandGroup = Literal["run", "look", "share", "look after"]
GROUPS: dict[str, str] = {
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
        for group in dict.fromkeys([*GROUPS, ""]):
            rows = [(f"{name:<{width}}", one.short_help or "") for name, one in found.items() if _group_of(one) == group]
            if rows:
                with formatter.section(GROUPS.get(group, "Commands")):
                    formatter.write_dl(rows)


def _group_of(command: Any) -> str:
    panel = getattr(command, "rich_help_panel", None)
    return panel if panel in GROUPS else ""


app = typer.Typer(
    name="robustsweep",
    help="Sweeps of training and attack jobs for robust, randomised, tensorized networks: every job computed once, every result in SQL.",
    cls=GroupedCommands,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    **_PLAIN,
)


def command(*, group: CommandGroup, name: str | None = None, runs_plugins: bool | None = None) -> Callable[[Function], Function]:
    """Register a function as a command under its name; the first paragraph of its docstring follows the name in the help.

    One that `runs_plugins` (None: those of the group `run`) runs them as it reads them; to the others it is enough what they declare.
    """
    return _registrar(app, runs_plugins=group == "run" if runs_plugins is None else runs_plugins, name=name, rich_help_panel=group)


def subcommands(name: str, *, group: CommandGroup, about: str) -> Callable[..., Callable[[Function], Function]]:
    """A command that has commands of its own; the result registers one of them, as `command` does."""
    nested = typer.Typer(help=about, cls=GroupedCommands, **_PLAIN)
    app.add_typer(nested, name=name, rich_help_panel=group, short_help=about)
    return lambda name=None: _registrar(nested, runs_plugins=False, name=name)


def _registrar(where: typer.Typer, *, runs_plugins: bool, **more: Any) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        first = " ".join((getdoc(function) or "").partition("\n\n")[0].split())
        where.command(short_help=first, **more)(_with_plugins(function, run_at_once=runs_plugins))
        return function

    return register


def _with_plugins(function: Callable[..., Any], *, run_at_once: bool) -> Callable[..., Any]:
    """A command with the option `--plugin`, whose files are loaded before it runs."""

    @wraps(function)
    def run(*arguments: Any, plugins: list[Path] | None = None, **options: Any) -> Any:
        from workers.plugins import load_plugins, run_when_needed

        with nullcontext() if run_at_once else run_when_needed(), _hints_repeat(options):
            load_plugins(plugins or ())
            return function(*arguments, **options)

    own = signature(function, eval_str=True)
    added = Parameter("plugins", Parameter.KEYWORD_ONLY, default=None, annotation=Plugins)
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), added])  # type: ignore[attr-defined]
    run.__annotations__ = {**get_type_hints(function, include_extras=True), "plugins": Plugins}
    return run


def _hints_repeat(options: Mapping[str, Any]) -> AbstractContextManager[None]:
    """A context in which printed commands repeat the places that are given to this one, if it takes any."""
    if "home" not in options:
        return nullcontext()
    from orchestrator.terminal.hints import repeated

    return repeated(options)


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
