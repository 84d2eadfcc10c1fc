"""`robustsweep study`: what mattered in a sweep, as a page."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.completion import complete_sweep
from orchestrator.cli.options import (
    DEFAULT_HOME,
    AnyVerdict,
    EverySpace,
    FigureFolder,
    FigureWidth,
    FontSize,
    Home,
    Image,
    ImageFormat,
    NoTitle,
    StoreUrl,
    paper_style,
    paths,
    say_written,
)


@command(group="look")
def study(  # noqa: PLR0913 (each is an option of the command)
    sweep: Annotated[str, typer.Argument(help="The name of a sweep, a search or a grid.", autocompletion=complete_sweep)],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.  [default: SWEEP-study.html]", show_default=False)
    ] = None,
    figures: FigureFolder = None,
    image: Image = ImageFormat.svg,
    width: FigureWidth = None,
    font_size: FontSize = None,
    no_title: NoTitle = False,
    any_verdict: AnyVerdict = False,
    every_space: EverySpace = False,
    epsilon: Annotated[
        str | None,
        typer.Option(
            "--epsilon", help="Of a grid's robust accuracy, e.g. 8/255.  [default: the largest that separates models]", show_default=False
        ),
    ] = None,
) -> None:
    """Write what mattered in SWEEP as one HTML file that opens offline.

    Front, parameter importance, partial dependence, the best at each value, seed luck; of a search also its trials and history.
    """
    from orchestrator.report.study import StudyOptions, study_page

    options = StudyOptions(
        paths=paths(home, store),
        sweep=sweep,
        output=output,
        figures=figures,
        image=image.value,
        style=paper_style(figures, width=width, font_size=font_size, no_title=no_title),
        any_verdict=any_verdict,
        epsilon=epsilon,
        every_space=every_space,
    )
    files, said = study_page(options)
    typer.echo(said)
    say_written(files, figures)
