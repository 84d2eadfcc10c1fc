"""`robustsweep compare`: differences between two sweeps."""

from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.app import command
from orchestrator.cli.completion import complete_sweep
from orchestrator.cli.options import DEFAULT_HOME, Home, Output, StoreUrl, TableFormat


@command(group="look")
def compare(
    before: Annotated[str, typer.Argument(help="A sweep's name.", autocompletion=complete_sweep)],
    after: Annotated[str, typer.Argument(help="The name of the sweep to compare with it.", autocompletion=complete_sweep)],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    every_cell: Annotated[bool, typer.Option("--all", help="Also list results that only one of them has.")] = False,
    output: Output = TableFormat.table,
) -> None:
    """Compare two sweeps, model by model and attack by attack: both accuracies and the difference, paired over the examples."""
    from orchestrator.store import open_store
    from orchestrator.store.reading.gaps import missing
    from orchestrator.store.reading.paired_results import compare_sweeps
    from orchestrator.tables.comparison_table import render_comparison, summary

    with open_store(options.paths(home, store).store_url, upgrade=False) as opened:
        comparison = compare_sweeps(opened, before, after)
        notes = [f"{name}: {note}" for name in (before, after) for note in missing(opened, name)]
    if output is TableFormat.csv:
        from orchestrator.terminal.escaping import visible

        typer.echo("\n".join(visible(line) for line in summary(comparison, every_cell=every_cell)), err=True)
    options.show(render_comparison(comparison, output.value, every_cell=every_cell, notes=options.tell(notes, output)))
