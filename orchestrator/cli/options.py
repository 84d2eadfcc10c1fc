"""Options that several commands share, and their conversion."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.completion import complete_sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from orchestrator.paths import Paths

Home = Annotated[Path, typer.Option("--home", envvar="ROBUSTSWEEP_HOME", help="Folder of results.db and artifacts/.")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="ROBUSTSWEEP_STORE",
        help="Database URL, sqlite:///... or postgresql://...  [default: HOME/results.db]",
        show_default=False,
        show_envvar=True,
    ),
]
DataFolder = Annotated[
    str | None,
    typer.Option(
        "--data",
        envvar="ROBUSTSWEEP_DATA",
        help="Data root, as torchvision lays it out (holds cifar-10-batches-py/): a folder, or a URL (s3://BUCKET/DATA).",
        show_default=False,
    ),
]
ArtifactsUrl = Annotated[
    str | None,
    typer.Option(
        "--artifacts",
        envvar="ROBUSTSWEEP_ARTIFACTS",
        help="Where jobs' files are: a folder, or a URL (s3://BUCKET/PREFIX).  [default: HOME/artifacts]",
        show_default=False,
        show_envvar=True,
    ),
]
Sweep = Annotated[str, typer.Argument(help="A sweep's name.", autocompletion=complete_sweep)]
SweepName = Annotated[
    str | None, typer.Argument(help="A sweep's name; all sweeps if left out.", show_default=False, autocompletion=complete_sweep)
]
DEFAULT_HOME = Path("sweeps")


class TableFormat(StrEnum):
    """Output format of a table."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    latex = "latex"
    html = "html"


class ImageFormat(StrEnum):
    """File format of figures."""

    png = "png"
    svg = "svg"


Output = Annotated[TableFormat, typer.Option("--format", "-f", help="How to print.")]
EverySpace = Annotated[bool, typer.Option("--all", help="With models of earlier versions of the sweep's space.")]
AnyVerdict = Annotated[bool, typer.Option("--any-verdict", help="Admit models whose verdict is unsound: their robustness is not real.")]
FigureFolder = Annotated[
    Path | None,
    typer.Option("--figures", help="Write each figure to this folder too; needs Chromium or Chrome.", show_default=False),
]
Image = Annotated[ImageFormat, typer.Option("--image", help="What --figures writes.")]


def paths(home: Path, store: str | None, data: str | None = None, *, artifacts: str | None = None) -> "Paths":
    from orchestrator.paths import Paths

    return Paths.resolve(home=home, store=store, data=data, artifacts=artifacts)


def console() -> "Console":
    from orchestrator.console import Terminal

    return Terminal()


def say_written(files: "Sequence[Path]", figures: Path | None) -> None:
    """Print the page that was written, and how many figures."""
    page, *images = files
    typer.echo(f"{page}" + (f" and {len(images)} figures in {figures}" if figures else ""))


def tell(notes: "Sequence[str]", output: TableFormat) -> "tuple[str, ...]":
    """Return the notes that stand below a table for people; where programs read it, print them as errors are."""
    if output not in (TableFormat.csv, TableFormat.json):
        return tuple(notes)
    for note in notes:
        typer.echo(note, err=True)
    return ()


def show(rendered: "str | RenderableType") -> None:
    """Print a string unchanged, or a table in the terminal's width."""
    if isinstance(rendered, str):
        typer.echo(rendered)
    else:
        console().print(rendered, crop=False)
