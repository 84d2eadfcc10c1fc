"""`robustsweep report`: a sweep as a page, or the paper's tables together with ours."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.completion import complete_sweep
from orchestrator.cli.options import (
    DEFAULT_HOME,
    ArtifactsUrl,
    FigureFolder,
    Home,
    Image,
    ImageFormat,
    StoreUrl,
    TableFormat,
    console,
    paths,
    say_written,
)
from workers.errors import UserError

if TYPE_CHECKING:
    from orchestrator.paths import Paths


@command(group="share")
def report(  # noqa: PLR0913 (each is an option of the command)
    sweep: Annotated[
        str | None,
        typer.Argument(help="A sweep's name; with --paper as --sweep takes it.", show_default=False, autocompletion=complete_sweep),
    ] = None,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="The paper's tables next to ours, with the difference, and whether our interval covers it.")
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
        TableFormat | None,
        typer.Option("--format", "-f", help="How to write it.  [default: by the ending of --output, else table]", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write.  [default: SWEEP-report.html; --paper prints]", show_default=False),
    ] = None,
    figures: FigureFolder = None,
    image: Image = ImageFormat.svg,
) -> None:
    """Write SWEEP's results, figures and provenance as one HTML file that opens offline (needs Plotly).

    With --paper, print the paper's tables next to the database's results; empty cells name what to launch.
    """
    if not paper:
        if sweep is None or tables is not None or sweeps or form is not None:
            raise UserError(
                "report: needs SWEEP, or --paper (the paper's tables next to ours); --table, --sweep and --format go with --paper"
            )
        _report_sweep(paths(home, store, artifacts=artifacts), sweep, output=output, figures=figures, image=image)
        return
    if figures is not None:
        raise UserError("--figures: not with --paper")
    from orchestrator.report.paper import report_paper

    names = list(dict.fromkeys([*([sweep] if sweep is not None else []), *(sweeps or [])]))
    report_paper(
        paths(home, store).store_url, names, tables=tables, form=None if form is None else form.value, output=output, console=console()
    )


def _report_sweep(found: "Paths", sweep: str, *, output: Path | None, figures: Path | None, image: ImageFormat) -> None:
    from orchestrator.report.sweep_page import ReportOptions, report_sweep

    options = ReportOptions(paths=found, sweep=sweep, output=output, figures=figures, image=image.value)
    say_written(report_sweep(options), figures)
