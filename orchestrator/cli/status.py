"""`robustsweep status`: show the progress of sweeps."""

from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_HOME, Home, StoreUrl, SweepName, TextFormat
from orchestrator.cli.options import console as _console
from orchestrator.cli.options import paths as _paths


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

    with open_store(_paths(home, store).store_url, upgrade=False) as opened:
        statuses, failed_jobs = sweep_status(opened, sweep), failures(opened, sweep)
    if output is TextFormat.json:
        typer.echo(status_json(statuses, failed_jobs))
    else:
        _console().print(render_failures(failed_jobs) if failed else render_status(statuses))
