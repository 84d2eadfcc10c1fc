"""`robustsweep status`: show the progress of sweeps."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, Home, Output, StoreUrl, SweepName, TableFormat, console, show
from orchestrator.cli.options import paths as _paths
from workers.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

_SECONDS = 2.0


@command(group="run", runs_plugins=False)
def status(
    sweep: SweepName = None,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    failed: Annotated[bool, typer.Option("--failed", help="Show each failed job with its traceback.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every two seconds, until no sweep is running any more.")] = False,
    output: Output = TableFormat.table,
) -> None:
    """Show how far sweeps are: jobs by stage, done, running, waiting, failed, blocked."""
    if watch:
        if failed or output is not TableFormat.table:
            raise UserError("--watch: only with the table of progress, neither with --failed nor with another format")
        watch_status(_paths(home, store).store_url, sweep, console())
        return
    from orchestrator.store import failures, open_store, sweep_status
    from orchestrator.tables.status_table import launched_by, render_failures, render_status, status_json
    from orchestrator.terminal.escaping import visible

    with open_store(_paths(home, store).store_url, upgrade=False) as opened:
        statuses, failed_jobs = sweep_status(opened, sweep), failures(opened, sweep)
    if output.value == "json":
        show(status_json(statuses, failed_jobs))
    else:
        show(render_failures(failed_jobs, output.value) if failed else render_status(statuses, output.value))
    if output.value == "table" and not failed:
        for said in filter(None, map(launched_by, statuses)):
            typer.echo(visible(said))


def watch_status(store_url: str, sweep: str | None, shown_on: "Console") -> None:
    """Show the progress of sweeps, anew every two seconds, until none of them has a living driver or Ctrl-C."""
    from rich.live import Live

    from orchestrator.store import open_store, sweep_status
    from orchestrator.tables.status_table import render_status

    with open_store(store_url, upgrade=False) as opened, Live(console=shown_on, auto_refresh=False) as live:
        while True:
            statuses = sweep_status(opened, sweep)
            live.update(render_status(statuses), refresh=True)
            if not any(status.driver_alive for status in statuses):
                return
            time.sleep(_SECONDS)
