"""`robustsweep robustbench`: models in the form of the RobustBench leaderboard."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, Home, StoreUrl, SweepArgument, paths


class Norm(StrEnum):
    """Norm of the ball."""

    linf = "linf"
    l2 = "l2"


class Order(StrEnum):
    """Order of the examples."""

    balanced = "balanced"
    file = "file"


@command(group="share")
def robustbench(
    sweep: SweepArgument,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    epsilon: Annotated[str, typer.Option("--epsilon", help="The ball's size in input units, e.g. 8/255.")],
    norm: Annotated[Norm, typer.Option("--norm", help="The ball's norm.")] = Norm.linf,
    order: Annotated[
        Order | None,
        typer.Option(help="Only results on the first examples of this order: file, as RobustBench.  [default: any]", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The folder to write DATASET/NORM/MODEL.json in: RobustBench's model_info.")],
) -> None:
    """Write a RobustBench file for each of SWEEP's models, with its worst case over all attacks at one epsilon."""
    from orchestrator.naming.names import counted
    from orchestrator.report.robustbench_export import robustbench_models, write_models
    from orchestrator.store import open_store, result_rows

    with open_store(paths(home, store).store_url, upgrade=False) as opened:
        rows = result_rows(opened, sweep, per_repeat=False)
        worst = result_rows(opened, sweep, per_repeat=False, worst=True)
    records = robustbench_models(rows, worst, epsilon=epsilon, norm=norm.value, order=None if order is None else order.value)
    write_models(records, out)
    for folder, number in Counter(path.parent for path in records).items():
        typer.echo(f"{counted(number, 'file')} in {out / folder}")
