"""`robustsweep best`: the Pareto-optimal models."""

from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, AnyVerdict, EverySpace, Home, Output, StoreUrl, TableFormat, paths, show


@command(group="look")
def best(
    sweep: Annotated[str, typer.Argument(help="A sweep's name.")],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    epsilon: Annotated[
        str | None,
        typer.Option("--epsilon", help="Of a grid: where the worst case is taken, e.g. 8/255.  [default: if only one]", show_default=False),
    ] = None,
    any_verdict: AnyVerdict = False,
    every_space: EverySpace = False,
    output: Output = TableFormat.table,
) -> None:
    """Print the Pareto-optimal models of SWEEP: in a search's objectives, or in a grid's clean and worst-case accuracy.

    Models that violate a constraint are left out, and so are those whose verdict is unsound.
    """
    from orchestrator.report.study import BestOptions, best_of

    options = BestOptions(paths=paths(home, store), sweep=sweep, epsilon=epsilon, any_verdict=any_verdict, every_space=every_space)
    rendered, notes = best_of(options, output.value)
    show(rendered)
    for note in notes:
        typer.echo(note, err=True)
