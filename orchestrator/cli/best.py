"""`robustsweep best`: the Pareto-optimal models."""

from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, AnyVerdict, EverySpace, Home, Output, StoreUrl, SweepArgument, TableFormat, paths, show
from workers.spec.fields import SplitName


@command(group="look")
def best(
    sweep: SweepArgument,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    epsilon: Annotated[
        str | None,
        typer.Option("--epsilon", help="Of a grid: where the worst case is taken, e.g. 8/255.  [default: if only one]", show_default=False),
    ] = None,
    split: Annotated[
        SplitName | None,
        typer.Option(
            "--split",
            help="Of a grid: the split to choose on; a choice on test is counted, and looks better than it is.  "
            "[default: validation, if measured on it]",
            show_default=False,
        ),
    ] = None,
    any_verdict: AnyVerdict = False,
    every_space: EverySpace = False,
    output: Output = TableFormat.table,
) -> None:
    """Print the Pareto-optimal models of SWEEP: in a search's objectives, or in a grid's clean and worst-case accuracy.

    Models that violate a constraint are left out, and so are those whose verdict is unsound.
    """
    from orchestrator.launching.count_looks import count_looks
    from orchestrator.report.study import BestOptions, choose_best
    from orchestrator.tables.writers import render

    options = BestOptions(
        paths=paths(home, store), sweep=sweep, epsilon=epsilon, split=split, any_verdict=any_verdict, every_space=every_space
    )
    choice = choose_best(options)
    show(render(choice.table, output.value))
    for note in [*choice.notes, *count_looks(options.paths.store_url, sweep, choice.looked_at)]:
        typer.echo(note, err=True)
