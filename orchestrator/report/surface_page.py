"""`robustsweep surfaces`: one self-contained page with a contour plot of every loss surface of a sweep (figures 2 to 4 of the paper)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.naming.names import slug, surface_family
from orchestrator.paths import Paths, replace_file
from orchestrator.report.surface_grids import SurfaceGrid, families, surface_draws, surface_grids
from orchestrator.store import SurfaceRow, open_store
from orchestrator.tables.table import Column, Table, TableRow
from workers.errors import UserError
from workers.spec.fields import positive_fraction

_READING = (
    "Each panel is the loss of one net (the cross-entropy of the true class) around one test example, at (0, 0). x follows the gradient, "
    "y a random direction orthogonal to it. Red: the circle of radius {epsilon} and, dotted, the ball of that radius where the plane "
    "cuts it. Black: where the predicted class begins or ceases to be the true one. All panels under a heading have one scale of colours."
)
_LOSSES = ("loss at the example", "least", "greatest")


def write_surface_page(paths: Paths, sweep: str, *, folder: Path, epsilon: str) -> tuple[Path, list[str]]:
    """Write `SWEEP-surfaces.html` to the folder; return its path, and one line for each surface whose grid cannot be read.

    Raises:
        UserError: there is nothing to draw, `epsilon` is invalid, or the folder cannot be written.
    """
    try:
        radius = float(positive_fraction(epsilon))
    except ValueError as error:
        raise UserError(f"--epsilon {epsilon}: {error}") from None
    with open_store(paths.store_url, upgrade=False) as store:
        grids, problems = surface_grids(store, paths.artifacts, sweep)
    if not grids:
        raise UserError(problems[0] if problems else f"sweep '{sweep}': has no loss surfaces yet; a space's section surfaces asks for them")
    path = folder / f"{slug(sweep)}-surfaces.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, surface_page(sweep, grids, epsilon=radius, literal=epsilon).encode())
    except OSError as error:
        raise UserError(f"--out {folder}: {error.strerror}") from error
    return path, problems


def surface_page(sweep: str, grids: Sequence[SurfaceGrid], *, epsilon: float, literal: str) -> str:
    """Return the page, self-contained with Plotly's script."""
    from orchestrator.report.figures import loss_surfaces
    from orchestrator.report.sweep_page.page import page_html, section_bodies
    from orchestrator.report.sweep_page.sections import PageSection

    rows = [grid.row for grid in grids]

    def sections() -> Iterator[PageSection]:
        for number, family in enumerate(families(grids), 1):
            row = family[-1].row
            pictures = loss_surfaces(surface_draws(family), radius=epsilon)
            titled = [replace(picture, title=label) for label, picture in pictures.items()]
            name, title, table = f"family-{number}", surface_family(row, rows), _table(family)
            yield PageSection(name=name, title=title, choices={"": titled}, fill="", notes=[_axes(row)], table=table)

    return page_html("surfaces", sweep, summary=[_READING.format(epsilon=literal)], bodies=list(section_bodies(sections())))


def _axes(row: SurfaceRow) -> str:
    planes = (
        "Every theta is shown in one and the same plane" if row.direction == "theta_one" else "Every theta is shown in a plane of its own"
    )
    length = "the largest change of any input value" if row.norm == "linf" else "the Euclidean length of the change"
    clipped = "; clipped to legal inputs" if row.clip else ""
    return f"{planes}. A number on an axis is {length} there, in input units{clipped}."


def _table(family: Sequence[SurfaceGrid]) -> Table:
    numbers = [Column(name, "number") for name in ("theta", "draws", *_LOSSES)]
    return Table(columns=(*numbers, Column("points right %", "tenths"), Column("job")), rows=tuple(map(_row, family)))


def _row(grid: SurfaceGrid) -> TableRow:
    row, right = grid.row, float((grid.predictions == grid.row.label).mean())
    losses = [float(f"{loss:.3g}") for loss in (row.clean_loss, row.least_loss, row.greatest_loss)]
    return (row.theta, row.draws, *losses, 100 * right, row.job_key[:8])
