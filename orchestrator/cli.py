"""The `robustsweep` command. Heavy modules are imported inside the commands, so that `--help` answers at once."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.comparison_commands import compare
from orchestrator.db_commands import db
from orchestrator.doctor_commands import doctor
from orchestrator.escaping import visible
from orchestrator.job_commands import show
from orchestrator.launch_options import (
    CpusPerJob,
    GpusPerAttack,
    GpusPerTrain,
    MaxFailures,
    Overrides,
    Space,
    WaitForNodes,
    Workers,
)
from orchestrator.options import DEFAULT_HOME, ArtifactsUrl, Data, Home, StoreUrl, SweepName, TextFormat
from orchestrator.options import console as _console
from orchestrator.options import places as _places
from orchestrator.passwords import hide_arguments
from orchestrator.report_commands import report, surfaces
from orchestrator.results_commands import query, results, verdicts
from orchestrator.robustbench_commands import robustbench
from orchestrator.study_commands import best, study
from orchestrator.submit_commands import submit
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


class ExecutorChoice(StrEnum):
    """Place where jobs run."""

    ray = "ray"
    inline = "inline"


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


@app.command()
def launch(  # noqa: PLR0913 (each is an option of the command)
    space: Space,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: Data = None,
    overrides: Overrides = None,
    executor: Annotated[
        ExecutorChoice, typer.Option(help="`ray`, or `inline`: one job after the other in this process.")
    ] = ExecutorChoice.ray,
    address: Annotated[
        str | None,
        typer.Option(
            help="A Ray cluster that this machine is part of: `auto` or HOST:PORT. Without it, Ray is started on this machine.",
            show_default=False,
        ),
    ] = None,
    workers: Workers = None,
    cpus_per_job: CpusPerJob = 1,
    gpus_per_train: GpusPerTrain = None,
    gpus_per_attack: GpusPerAttack = None,
    max_failures: MaxFailures = 2,
    wait_for_nodes: WaitForNodes = 0.0,
) -> None:
    """Run every job of SPACE that has no result yet. The same command continues after any interruption."""
    from orchestrator.executors import Resources
    from orchestrator.launch import LaunchOptions
    from orchestrator.launch import launch as run_launch

    if address is not None and executor is ExecutorChoice.inline:
        raise UserError("--address: only with --executor ray")
    options = LaunchOptions(
        space=space,
        places=_places(home, store, data, artifacts=artifacts),
        overrides=tuple(overrides or ()),
        executor=executor.value,
        address=address,
        resources=Resources(cpus_per_job, gpus_per_train, gpus_per_attack, workers),
        max_failures=max_failures,
        wait_for_nodes=wait_for_nodes,
    )
    raise typer.Exit(run_launch(options, _console()))


@app.command()
def plan(  # noqa: PLR0913 (each is an option of the command)
    space: Space,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: Data = None,
    overrides: Overrides = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="List every job.")] = False,
    write_jobs: Annotated[
        Path | None,
        typer.Option(help="Write each job still to run to this folder as KEY.json, for `python -m workers`.", show_default=False),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate how long it will take, from the measured times of similar jobs in the database.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With --estimate: jobs at once.  [default: this machine's cores]", show_default=False)
    ] = None,
    price: Annotated[
        float | None, typer.Option(min=0, help="With --estimate: what one worker costs an hour, in any currency.", show_default=False)
    ] = None,
    output: Annotated[TextFormat, typer.Option("--format", "-f", help="How to print.")] = TextFormat.table,
) -> None:
    """Show what `launch SPACE` would run: jobs by stage and model, and which are done. Runs nothing."""
    from orchestrator.planning import estimated, look_ahead, write_job_files
    from orchestrator.report import plan_json, render_plan
    from orchestrator.report.estimate import estimate_record, render_estimate
    from orchestrator.search_planning import plan_search

    if not estimate and (workers, price) != (None, None):
        raise UserError("--workers, --price: only with --estimate")
    where = _places(home, store, data, artifacts=artifacts)
    if (searched := plan_search(space, tuple(overrides or ()), where)) is not None:
        refused = next((name for name, given in (("--jobs", jobs), ("--write-jobs", write_jobs), ("--estimate", estimate)) if given), None)
        if refused is not None:
            raise UserError(f"{refused}: not of a search, whose jobs come one trial after the other")
        typer.echo(searched.json() if output is TextFormat.json else visible(searched.text(), keep="\n"))
        return
    name, found = look_ahead(space, tuple(overrides or ()), where)
    if write_jobs is not None:
        write_job_files(found, write_jobs)
    if output is TextFormat.json:
        also = {"estimate": estimate_record(estimated(found, where, workers=workers), price=price)} if estimate else {}
        typer.echo(plan_json(name, found, **also))
        return
    _console().print(render_plan(name, found, every_job=jobs))
    if estimate:
        _console().print(render_estimate(estimated(found, where, workers=workers), price=price), soft_wrap=True)


app.command()(doctor)
app.command()(submit)
app.command()(show)
app.command()(compare)
app.command()(results)
app.command()(query)
app.command()(verdicts)
app.command()(report)
app.command()(robustbench)
app.command()(surfaces)
app.command()(best)
app.command()(study)


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
def dashboard(
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: Data = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8501,
) -> None:
    """Serve a live dashboard of sweeps and results to a browser on this machine."""
    from orchestrator.dashboard.command import serve

    raise typer.Exit(serve(_places(home, store, data, artifacts=artifacts), port=port, say=typer.echo))


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
