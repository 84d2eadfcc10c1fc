"""`robustsweep report SWEEP`: read the store, write the page and, if requested, images."""

from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.garbage import uncollected
from orchestrator.naming.names import slug
from orchestrator.paths import Paths, write_atomically
from orchestrator.report.figures.paper import ImageForm, PaperStyle
from orchestrator.store import open_store
from workers.errors import UserError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Options of `report`: `output` is the page's file (None: `SWEEP-report.html` here), `figures` a folder for figures as images, all or
    `only` those of some names (see `FIGURES`), in a `style`."""

    paths: Paths
    sweep: str
    output: Path | None = None
    figures: Path | None = None
    image: ImageForm = "svg"
    style: PaperStyle = field(default_factory=PaperStyle)
    only: tuple[str, ...] = ()


def report_sweep(options: ReportOptions) -> list[Path]:
    """Write the report; return the files that were written, the page first.

    Raises:
        UserError: no such sweep or store, a browser is missing, no such figure, or a file cannot be written.
    """
    from orchestrator.report.sweep_page.page import render_page
    from orchestrator.report.sweep_page.page_data import gather
    from orchestrator.report.sweep_page.sections import FIGURES, sections

    for name in options.only:
        if name not in FIGURES:
            raise UserError(f"--only {name}: one of {', '.join(FIGURES)}{did_you_mean(name, FIGURES)}")
    if options.figures is not None:
        from orchestrator.report.browser import find_browser  # here: only images need what drives a browser

        find_browser()
    output = (options.output or Path(f"{slug(options.sweep)}-report.html")).expanduser()
    with uncollected():  # a seventh of a report's time
        with open_store(options.paths.store_url, upgrade=False) as store:
            page_data = gather(store, options.paths.artifacts, options.sweep)
        found = sections(page_data)
        write_atomically(output, render_page(page_data, found).encode())
    if options.figures is None:
        return [output]
    from orchestrator.report.sweep_page.figure_files import write_images

    only = [FIGURES[name] for name in options.only]
    return [output, *write_images(found, options.figures, form=options.image, style=options.style, only=only)]
