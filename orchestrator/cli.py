"""The `robustsweep` command. Everything heavy is imported inside the commands, so that `--help` answers at once."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.db_commands import db
from orchestrator.options import DEFAULT_HOME, Data, Home, StoreUrl
from orchestrator.options import console as _console
from orchestrator.options import places as _places
from orchestrator.passwords import hide_arguments
from orchestrator.show_command import show
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


class OutputFormat(StrEnum):
    """How a table is printed."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"


class ReportFormat(StrEnum):
    """How a report is written."""

    html = "html"
    json = "json"
    latex = "latex"
    markdown = "markdown"
    table = "table"


class TextFormat(StrEnum):
    """How a summary is printed."""

    table = "table"
    json = "json"


class ExecutorChoice(StrEnum):
    """Where jobs run."""

    ray = "ray"
    inline = "inline"


Space = Annotated[str, typer.Argument(help="A built-in space's name (see `robustsweep spaces`), or the path of a YAML file.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Override a field of the space: PATH=VALUE, e.g. model.theta=0.9.", show_default=False)
]
SweepName = Annotated[str | None, typer.Argument(help="A sweep's name; all sweeps if left out.", show_default=False)]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"robustsweep {version('robustsweep')}")
        raise typer.Exit


app.add_typer(db, name="db")
app.command()(show)


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Launch sweeps, ask for their results."""


@app.command()
def launch(  # noqa: PLR0913 (each is an option of the command)
    space: Space,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    data: Data = None,
    overrides: Overrides = None,
    executor: Annotated[
        ExecutorChoice, typer.Option(help="`ray`, or `inline`: one job after the other in this process.")
    ] = ExecutorChoice.ray,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster: `auto` or ADDRESS. Without it, Ray is started on this machine.", show_default=False)
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Most jobs at once.  [default: as many as fit]", show_default=False)] = None,
    cpus_per_job: Annotated[int, typer.Option(help="CPU cores, and threads, of a job.")] = 1,
    gpus_per_train: Annotated[
        float | None, typer.Option(help="GPUs of a training job.  [default: 1 if there are any]", show_default=False)
    ] = None,
    gpus_per_attack: Annotated[
        float | None,
        typer.Option(help="GPUs of another job; a fraction shares one.  [default: 1 if there are any]", show_default=False),
    ] = None,
    max_failures: Annotated[int, typer.Option(help="How often a job may fail and be tried again.")] = 2,
) -> None:
    """Run every job of SPACE that has no result yet. The same command continues after any interruption."""
    from orchestrator.executors import Resources
    from orchestrator.launch import LaunchOptions
    from orchestrator.launch import launch as run_launch

    if address is not None and executor is ExecutorChoice.inline:
        raise UserError("--address: only with --executor ray")
    options = LaunchOptions(
        space=space,
        places=_places(home, store, data),
        overrides=tuple(overrides or ()),
        executor=executor.value,
        address=address,
        resources=Resources(cpus_per_job, gpus_per_train, gpus_per_attack, workers),
        max_failures=max_failures,
    )
    raise typer.Exit(run_launch(options, _console()))


@app.command()
def plan(
    space: Space,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    overrides: Overrides = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="List every job.")] = False,
    write_jobs: Annotated[
        Path | None,
        typer.Option(help="Write each job still to run to this folder as KEY.json, for `python -m workers`.", show_default=False),
    ] = None,
    output: Annotated[TextFormat, typer.Option("--format", "-f", help="How to print.")] = TextFormat.table,
) -> None:
    """Show what `launch SPACE` would run: jobs by stage and model, and which are done. Runs nothing."""
    from orchestrator.planning import look_ahead, write_job_files
    from orchestrator.report import plan_json, render_plan

    name, found = look_ahead(space, tuple(overrides or ()), _places(home, store))
    if write_jobs is not None:
        write_job_files(found, write_jobs)
    if output is TextFormat.json:
        typer.echo(plan_json(name, found))
    else:
        _console().print(render_plan(name, found, every_job=jobs))


@app.command()
def results(
    sweep: SweepName = None,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    per_repeat: Annotated[bool, typer.Option("--per-repeat", help="One row per repeat instead of the mean over repeats.")] = False,
    over_seeds: Annotated[
        bool, typer.Option("--over-seeds", help="One row for all models that differ in their training seed alone.")
    ] = False,
    spread: Annotated[
        bool, typer.Option("--spread", help="Show standard errors, in percent points: of examples, of draws, of training seeds.")
    ] = False,
    worst_case: Annotated[
        bool,
        typer.Option("--worst-case", help="The attack that harms each example most, of all at one epsilon, for each knowledge and any."),
    ] = False,
    output: Annotated[OutputFormat, typer.Option("--format", "-f", help="How to print.")] = OutputFormat.table,
) -> None:
    """Print clean and robust accuracy with 95 % intervals, one row per model, attack, knowledge and epsilon."""
    from orchestrator.report import render_results
    from orchestrator.store import open_store, result_rows

    if per_repeat and worst_case:
        raise UserError("--per-repeat with --worst-case: the worst attack is chosen by the other repeats; leave one of them out")
    with open_store(_places(home, store).store_url, upgrade=False) as opened:
        rows = result_rows(opened, sweep, per_repeat=per_repeat, over_seeds=over_seeds, worst=worst_case)
    rendered = render_results(rows, output.value, spread=spread)
    if isinstance(rendered, str):
        typer.echo(rendered)
    else:
        _console().print(rendered, crop=False)


@app.command()
def report(
    sweep: Annotated[str | None, typer.Argument(help="A sweep's name, as --sweep takes it.", show_default=False)] = None,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="The paper's tables beside ours: difference, and whether our interval covers.")
    ] = False,
    tables: Annotated[
        str | None, typer.Option("--table", help="Which of the tables 1 to 5, e.g. 1,3.  [default: all]", show_default=False)
    ] = None,
    sweeps: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            help="Take figures from this sweep only, all its models; repeatable.  [default: those nearest to the paper's]",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        ReportFormat | None,
        typer.Option("--format", "-f", help="How to write it.  [default: by the ending of --output, else table]", show_default=False),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.", show_default=False)] = None,
) -> None:
    """Print the paper's tables with what the database holds beside them; empty cells say what to launch."""
    from orchestrator.report.paper import report_paper

    if not paper:
        raise UserError("report: needs --paper (the paper's tables beside ours); for one sweep's figures see `robustsweep results SWEEP`")
    names = list(dict.fromkeys([*([sweep] if sweep is not None else []), *(sweeps or [])]))
    report_paper(
        _places(home, store).store_url, names, tables=tables, form=None if form is None else form.value, output=output, console=_console()
    )


@app.command()
def status(
    sweep: SweepName = None,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    failed: Annotated[bool, typer.Option("--failed", help="Show each failed job with its traceback.")] = False,
    output: Annotated[TextFormat, typer.Option("--format", "-f", help="How to print.")] = TextFormat.table,
) -> None:
    """Show how far sweeps are: jobs by stage, done, running, waiting, failed, blocked."""
    from orchestrator.report import render_failures, render_status, status_json
    from orchestrator.store import failures, open_store, sweep_status

    with open_store(_places(home, store).store_url, upgrade=False) as opened:
        statuses, failed_jobs = sweep_status(opened, sweep), failures(opened, sweep)
    if output is TextFormat.json:
        typer.echo(status_json(statuses, failed_jobs))
    else:
        _console().print(render_failures(failed_jobs) if failed else render_status(statuses))


@app.command()
def surfaces(
    sweep: Annotated[str, typer.Argument(help="A sweep's name.")],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write SWEEP-surfaces.html to.")] = Path(),
    epsilon: Annotated[str, typer.Option("--epsilon", help="Where to draw the circle, in input units.")] = "32/255",
) -> None:
    """Draw SWEEP's loss surfaces: one page with a contour plot for each model, which opens offline (needs Plotly)."""
    from orchestrator.report.surface_page import write_surface_page

    path, problems = write_surface_page(_places(home, store), sweep, folder=out, epsilon=epsilon)
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)
    typer.echo(path)


@app.command()
def spaces() -> None:
    """List the built-in spaces."""
    from orchestrator.report.tables import plain_table
    from search_spaces import builtin_spaces

    table = plain_table()
    table.add_column("space", no_wrap=True)
    table.add_column("what it is")
    for name, description in builtin_spaces():
        table.add_row(name, description)
    _console().print(table)


def main() -> None:
    """The program: a mistake of the user gets one line (or one per problem) and exit code 2, never a traceback."""
    try:
        hide_arguments()
        app()
    except UserError as error:
        from orchestrator.escaping import visible

        typer.echo(visible(f"robustsweep: {error}", keep="\n"), err=True)
        sys.exit(2)
    except BrokenPipeError:  # `robustsweep results | head`
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    main()
