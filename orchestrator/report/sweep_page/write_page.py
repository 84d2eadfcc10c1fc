"""`robustsweep report SWEEP`: read the store, write the page and, if requested, images."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.names import slug
from orchestrator.paths import Paths, write_atomically
from orchestrator.report.browser import check_requirements
from orchestrator.store import open_store

ImageForm = Literal["png", "svg"]


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Options of `report`: `output` is the page's file (None: `SWEEP-report.html` here), `figures` a folder for all figures as images."""

    paths: Paths
    sweep: str
    output: Path | None = None
    figures: Path | None = None
    image: ImageForm = "svg"


def report_sweep(options: ReportOptions) -> list[Path]:
    """Write the report; return the files that were written, the page first.

    Raises:
        UserError: no such sweep or store, plotly or a browser is missing, or a file cannot be written.
    """
    check_requirements("report", images=options.figures is not None)
    from orchestrator.report.sweep_page.page import render_page
    from orchestrator.report.sweep_page.page_evidence import gather
    from orchestrator.report.sweep_page.sections import sections

    output = (options.output or Path(f"{slug(options.sweep)}-report.html")).expanduser()
    with _uncollected():
        with open_store(options.paths.store_url, upgrade=False) as store:
            evidence = gather(store, options.paths.artifacts, options.sweep)
        found = sections(evidence)
        write_atomically(output, render_page(evidence, found).encode())
    if options.figures is None:
        return [output]
    from orchestrator.report.sweep_page.images import write_images  # here: only images need what drives a browser

    return [output, *write_images(found, options.figures, form=options.image)]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Disable garbage collection, a seventh of a report's time: its millions of values are all kept to the end."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
