"""`robustsweep best` and `robustsweep study`: outcome of a search or a grid."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_HOME, Home, OutputFormat, StoreUrl, paths, show
from orchestrator.cli.report import ImageFormat

AnyVerdict = Annotated[bool, typer.Option("--any-verdict", help="Admit models whose verdict is unsound: their robustness is not real.")]


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
    output: Annotated[OutputFormat, typer.Option("--format", "-f", help="How to print.")] = OutputFormat.table,
) -> None:
    """Print the Pareto-optimal models of SWEEP: in a search's objectives, or in a grid's clean and worst-case accuracy.

    Models that violate a constraint are left out, and so are those whose verdict is unsound.
    """
    from orchestrator.report.study import BestOptions, best_of

    options = BestOptions(paths=paths(home, store), sweep=sweep, epsilon=epsilon, any_verdict=any_verdict)
    rendered, notes = best_of(options, output.value)
    show(rendered)
    for note in notes:
        typer.echo(note, err=True)


def study(
    sweep: Annotated[str, typer.Argument(help="The name of a sweep with method optuna.")],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.  [default: SWEEP-study.html]", show_default=False)
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", help="Write each figure to this folder too; needs Chromium or Chrome.", show_default=False),
    ] = None,
    image: Annotated[ImageFormat, typer.Option("--image", help="What --figures writes.")] = ImageFormat.svg,
    any_verdict: AnyVerdict = False,
) -> None:
    """Write the search of SWEEP as one HTML file that opens offline: trials, front, history, parameter importance (needs Plotly)."""
    from orchestrator.report.study import StudyOptions, study_page

    options = StudyOptions(
        paths=paths(home, store), sweep=sweep, output=output, figures=figures, image=image.value, any_verdict=any_verdict
    )
    (page, *images), said = study_page(options)
    typer.echo(said)
    typer.echo(f"{page}" + (f" and {len(images)} figures in {figures}" if figures else ""))
