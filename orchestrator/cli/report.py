"""`robustsweep report`: a sweep as a page, or the paper's tables together with ours."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.completion import complete_sweep
from orchestrator.cli.options import (
    DEFAULT_HOME,
    ArtifactsUrl,
    FigureFolder,
    FigureWidth,
    FontSize,
    Home,
    Image,
    ImageFormat,
    NoTitle,
    StoreUrl,
    TableFormat,
    console,
    paper_style,
    paths,
    say_written,
)
from workers.errors import UserError


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
    width: FigureWidth = None,
    font_size: FontSize = None,
    no_title: NoTitle = False,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="NAMES",
            help="Which of them, with commas: summary, accuracy_epsilon, smallest, pareto, heat_map, cost, training, difficulty, surfaces.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write SWEEP's results, figures and provenance as one HTML file that opens offline.

    With --paper, print the paper's tables next to the database's results; empty cells name what to launch.
    """
    if not paper:
        if sweep is None or tables is not None or sweeps or form is not None:
            raise UserError(
                "report: needs SWEEP, or --paper (the paper's tables next to ours); --table, --sweep and --format go with --paper"
            )
        if only is not None and figures is None:
            raise UserError("--only: only with --figures DIR")
        from orchestrator.report.sweep_page import ReportOptions, report_sweep

        options = ReportOptions(
            paths=paths(home, store, artifacts=artifacts),
            sweep=sweep,
            output=output,
            figures=figures,
            image=image.value,
            style=paper_style(figures, width=width, font_size=font_size, no_title=no_title),
            only=tuple(name.strip() for name in (only or "").split(",") if name.strip()),
        )
        say_written(report_sweep(options), figures)
        return
    if figures is not None:
        raise UserError("--figures: not with --paper")
    from orchestrator.report.paper import report_paper

    names = list(dict.fromkeys([*([sweep] if sweep is not None else []), *(sweeps or [])]))
    report_paper(
        paths(home, store).store_url, names, tables=tables, form=None if form is None else form.value, output=output, console=console()
    )
