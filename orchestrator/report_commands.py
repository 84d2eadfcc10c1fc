"""`robustsweep report` and `robustsweep surfaces`: pages and tables to read and to keep."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.options import DEFAULT_HOME, Home, StoreUrl, console, places
from workers.errors import UserError


class ReportFormat(StrEnum):
    """How a report is written."""

    html = "html"
    json = "json"
    latex = "latex"
    markdown = "markdown"
    table = "table"


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
        places(home, store).store_url, names, tables=tables, form=None if form is None else form.value, output=output, console=console()
    )


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

    path, problems = write_surface_page(places(home, store), sweep, folder=out, epsilon=epsilon)
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)
    typer.echo(path)
