"""`robustsweep study`: a search as a page."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, AnyVerdict, FigureFolder, Home, Image, ImageFormat, StoreUrl, paths, say_written


@command(group="look")
def study(
    sweep: Annotated[str, typer.Argument(help="The name of a sweep with method optuna.")],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.  [default: SWEEP-study.html]", show_default=False)
    ] = None,
    figures: FigureFolder = None,
    image: Image = ImageFormat.svg,
    any_verdict: AnyVerdict = False,
) -> None:
    """Write the search of SWEEP as one HTML file that opens offline: trials, front, history, parameter importance (needs Plotly)."""
    from orchestrator.report.study import StudyOptions, study_page

    options = StudyOptions(
        paths=paths(home, store), sweep=sweep, output=output, figures=figures, image=image.value, any_verdict=any_verdict
    )
    files, said = study_page(options)
    typer.echo(said)
    say_written(files, figures)
