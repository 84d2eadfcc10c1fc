"""`robustsweep status`: show the progress of sweeps."""

from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, Home, Output, StoreUrl, SweepName, TableFormat, show
from orchestrator.cli.options import paths as _paths


@command(group="run")
def status(
    sweep: SweepName = None,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    failed: Annotated[bool, typer.Option("--failed", help="Show each failed job with its traceback.")] = False,
    output: Output = TableFormat.table,
) -> None:
    """Show how far sweeps are: jobs by stage, done, running, waiting, failed, blocked."""
    from orchestrator.escaping import visible
    from orchestrator.store import failures, open_store, sweep_status
    from orchestrator.tables.status_table import launched_by, render_failures, render_status, status_json

    with open_store(_paths(home, store).store_url, upgrade=False) as opened:
        statuses, failed_jobs = sweep_status(opened, sweep), failures(opened, sweep)
    if output.value == "json":
        show(status_json(statuses, failed_jobs))
    else:
        show(render_failures(failed_jobs, output.value) if failed else render_status(statuses, output.value))
    if output.value == "table" and not failed:
        for said in filter(None, map(launched_by, statuses)):
            typer.echo(visible(said))
