"""`robustsweep verdicts`: verdicts on the reliability of results."""

from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, EverySpace, Home, Output, StoreUrl, SweepName, TableFormat, paths, show, tell


@command(group="look")
def verdicts(
    sweep: SweepName = None,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    rungs: Annotated[bool, typer.Option("--rungs", help="With models that a search stopped before the end of their training.")] = False,
    every_space: EverySpace = False,
    output: Output = TableFormat.table,
) -> None:
    """Show per model whether its results are reliable: sound, suspicious or unsound, and each check with its finding."""
    from orchestrator.store import model_verdicts, open_store
    from orchestrator.store.reading.gaps import missing
    from orchestrator.tables.verdicts_table import render_verdicts

    with open_store(paths(home, store).store_url, upgrade=False) as opened:
        found = model_verdicts(opened, sweep, rungs=rungs, every_space=every_space)
        notes = tell(missing(opened, sweep, all_by=None if every_space else "verdicts"), output)
    show(render_verdicts(found, output.value, notes=notes))
