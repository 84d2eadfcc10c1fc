"""Options that several commands share, and their conversion."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.completion import complete_sweep
from workers.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from orchestrator.paths import Paths
    from orchestrator.report.figures.paper import PaperStyle

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
SweepArgument = Annotated[str, typer.Argument(help="A sweep's name.", autocompletion=complete_sweep)]
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
    pdf = "pdf"


Output = Annotated[TableFormat, typer.Option("--format", "-f", help="How to print.")]
EverySpace = Annotated[bool, typer.Option("--all", help="With models of earlier versions of the sweep's space.")]
AnyVerdict = Annotated[bool, typer.Option("--any-verdict", help="Admit models whose verdict is unsound: their robustness is not real.")]
FigureFolder = Annotated[
    Path | None,
    typer.Option("--figures", help="Write each figure to this folder too; needs Chromium or Chrome.", show_default=False),
]
Image = Annotated[ImageFormat, typer.Option("--image", help="What --figures writes.")]
FigureWidth = Annotated[
    str | None,
    typer.Option("--width", metavar="LENGTH", help="Width of --figures, as 3.25in, 8.3cm or 83mm.  [default: 6.67in]", show_default=False),
]
FontSize = Annotated[
    float | None,
    typer.Option("--font-size", metavar="POINTS", help="Size of letters in --figures.  [default: 9.75]", show_default=False),
]
NoTitle = Annotated[bool, typer.Option("--no-title", help="Leave the title out of --figures: a paper has a caption.")]
_INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72}
_WIDTHS, _SIZES = (1.0, 20.0), (4.0, 40.0)


def paths(home: Path, store: str | None, data: str | None = None, *, artifacts: str | None = None) -> "Paths":
    from orchestrator.paths import Paths

    return Paths.resolve(home=home, store=store, data=data, artifacts=artifacts)


def console() -> "Console":
    from orchestrator.terminal.console import Terminal

    return Terminal()


def paper_style(figures: Path | None, *, width: str | None, font_size: float | None, no_title: bool) -> "PaperStyle":
    """Return the style that options of --figures ask for.

    Raises:
        UserError: one is out of its range, or goes without --figures.
    """
    from orchestrator.report.figures.paper import PaperStyle

    given = {"--width": width is not None, "--font-size": font_size is not None, "--no-title": no_title}
    for option in (option for option, is_given in given.items() if is_given and figures is None):
        raise UserError(f"{option}: only with --figures DIR")
    if font_size is not None and not _SIZES[0] <= font_size <= _SIZES[1]:
        raise UserError(f"--font-size {font_size:g}: must be in [{_SIZES[0]:g}, {_SIZES[1]:g}], in points")
    usual = PaperStyle()
    return PaperStyle(
        width=usual.width if width is None else _inches(width), font_size=font_size or usual.font_size, has_title=not no_title
    )


def _inches(width: str) -> float:
    number, unit = width.rstrip("abcdefghijklmnopqrstuvwxyz"), width.lstrip("0123456789. ")
    try:
        inches = float(number) * _INCHES[unit]
    except (ValueError, KeyError):
        raise UserError(f"--width {width}: must be a length such as 3.25in, 8.3cm, 83mm or 234pt") from None
    if not _WIDTHS[0] <= inches <= _WIDTHS[1]:
        raise UserError(f"--width {width}: must be from {_WIDTHS[0]:g}in to {_WIDTHS[1]:g}in")
    return inches


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
