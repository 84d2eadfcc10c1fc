"""The `robustsweep` command. Heavy modules are imported inside the commands, so that `--help` answers at once."""

import sys
from typing import Annotated

import typer

from orchestrator.cli.compare import compare
from orchestrator.cli.dashboard import dashboard
from orchestrator.cli.db import db
from orchestrator.cli.doctor import doctor
from orchestrator.cli.launch import launch
from orchestrator.cli.plan import plan
from orchestrator.cli.report import report, surfaces
from orchestrator.cli.results import query, results, verdicts
from orchestrator.cli.robustbench import robustbench
from orchestrator.cli.show import show
from orchestrator.cli.spaces import spaces
from orchestrator.cli.status import status
from orchestrator.cli.study import best, study
from orchestrator.cli.submit import submit
from orchestrator.escaping import visible
from orchestrator.passwords import hide_arguments
from workers.errors import UserError

app = typer.Typer(
    name="robustsweep",
    help="Sweeps of training and attack jobs for robust, randomised, tensorized networks: every job computed once, every result in SQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"robustsweep {version('robustsweep')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Launch sweeps and query their results."""


for _command in (
    launch,
    plan,
    status,
    dashboard,
    spaces,
    doctor,
    submit,
    show,
    compare,
    results,
    query,
    verdicts,
    report,
    robustbench,
    surfaces,
    best,
    study,
):
    app.command()(_command)
app.add_typer(db, name="db")


def main() -> None:
    """Run the program: a user error gets one line (or one per problem) and exit code 2, never a traceback."""
    try:
        hide_arguments()
        app()
    except UserError as error:
        typer.echo(visible(f"robustsweep: {error}", keep="\n"), err=True)
        sys.exit(2)
    except BrokenPipeError:  # `robustsweep results | head`
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
