"""`robustsweep surfaces`: one self-contained page with a contour plot of every loss surface of a sweep (figures 2 to 4 of the paper)."""

from collections.abc import Sequence
from html import escape
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from orchestrator.atomic_write import replace_file
from orchestrator.paths import Paths
from orchestrator.report.surface_grids import SurfaceGrid, families, surface_grids
from orchestrator.store import SurfaceRow, open_store
from orchestrator.store.reading.model_description import rank_in_words
from workers.errors import UserError
from workers.spec.fields import positive_fraction

_STYLE = """
:root { color-scheme: light; font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; }
body { max-width: 1320px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2.5rem 0 0.3rem; } p { max-width: 60rem; margin: 0.3rem 0; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 0.5rem; margin-top: 0.8rem; }
figure { margin: 0; min-width: 0; } figcaption { text-align: center; font-weight: 600; }
.scale { display: flex; align-items: center; gap: 0.6rem; margin-top: 0.8rem; font-size: 0.9rem; white-space: nowrap; }
.scale div { flex: 0 1 20rem; height: 0.8rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; margin: 0.8rem 0; font-size: 0.9rem; }
th, td { text-align: right; padding: 0.15rem 0.8rem 0.15rem 0; white-space: nowrap; } th { border-bottom: 1px solid #999; }
"""
_READING = (
    "Each panel is the loss of one net (the cross-entropy of the true class) around one test example, at (0, 0). x follows the gradient, "
    "y a random direction orthogonal to it. Red: the circle of radius {epsilon} and, dotted, the ball of that radius where the plane "
    "cuts it. Black: where the predicted class begins or ceases to be the true one. All panels under a heading have one scale of colours."
)


def write_surface_page(paths: Paths, sweep: str, *, folder: Path, epsilon: str) -> tuple[Path, list[str]]:
    """Write `SWEEP-surfaces.html` to the folder; return its path, and one line for each surface whose grid cannot be read.

    Raises:
        UserError: Plotly is not installed, there is nothing to draw, `epsilon` is invalid, or the folder cannot be written.
    """
    if find_spec("plotly") is None:
        raise UserError("surfaces: Plotly is not installed; pip install 'robustsweep[dashboard]'")
    try:
        radius = float(positive_fraction(epsilon))
    except ValueError as error:
        raise UserError(f"--epsilon {epsilon}: {error}") from None
    with open_store(paths.store_url, upgrade=False) as store:
        grids, problems = surface_grids(store, paths.artifacts, sweep)
    if not grids:
        raise UserError(problems[0] if problems else f"sweep '{sweep}': has no loss surfaces yet; a space's section surfaces asks for them")
    path = folder / f"{sweep}-surfaces.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, surface_page(sweep, grids, epsilon=radius, literal=epsilon).encode())
    except OSError as error:
        raise UserError(f"--out {folder}: {error.strerror}") from error
    return path, problems


def surface_page(sweep: str, grids: Sequence[SurfaceGrid], *, epsilon: float, literal: str) -> str:
    """Return the page, self-contained with Plotly's script."""
    from plotly.offline import get_plotlyjs

    numbers = count()
    sections = "".join(_section(family, numbers, epsilon) for family in families(grids))
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(sweep)}: loss surfaces</title><style>{_STYLE}</style><script>{get_plotlyjs()}</script></head>"
        f"<body><h1>{escape(sweep)}: loss surfaces</h1><p>{escape(_READING.format(epsilon=literal))}</p>{sections}</body></html>\n"
    )


def _section(family: Sequence[SurfaceGrid], numbers: "count[int]", epsilon: float) -> str:
    from orchestrator.report.surface_plot import gradient_css, panel

    least, greatest = min(grid.row.least_loss for grid in family), max(grid.row.greatest_loss for grid in family)
    panels = "".join(
        f"<figure><figcaption>{escape(caption(grid.row, draw, family))}</figcaption>"
        f"{panel(grid, draw=draw, scale=(least, greatest), epsilon=epsilon, name=f'surface-{next(numbers)}')}</figure>"
        for draw in range(max(grid.row.draws for grid in family))
        for grid in family
        if draw < grid.row.draws
    )
    scale = f"<div class='scale'>loss {least:.3g}<div style='background: {gradient_css()}'></div>{greatest:.3g}</div>"
    title, axes = escape(heading(family[-1].row)), escape(_axes(family[-1].row))
    return f"<h2>{title}</h2><p>{axes}</p>{scale}<div class='panels'>{panels}</div>{_table(family)}"


def heading(row: SurfaceRow) -> str:
    """Describe the net, the example and the direction that the surfaces of a family have in common."""
    rank = "dense" if row.rank_fraction is None else f"rank {rank_in_words(row.rank_fraction, row.rank_fractions)} of {row.rank_kind}"
    binary = "binary " if row.binary else ""
    training = "" if row.adversarial_training == "none" else f", adversarial training {row.adversarial_training}"
    settings = [f" {name}={value}" for name, value in (row.defence_settings or {}).items()]
    defence = "" if row.defence == "none" else "".join([f", {row.defence}", *settings])
    own = "".join(f" {name} {value}" for name, value in row.model_settings.items())
    whose = "the gradient at theta 1" if row.direction == "theta_one" else "each net's own gradient"
    return (
        f"{row.model}{own}, {binary}{rank}{training}{defence}, seed {row.seed}: "
        f"{row.dataset} test example {row.example}, class {row.label}, along {whose}"
    )


def _axes(row: SurfaceRow) -> str:
    planes = (
        "Every theta is shown in one and the same plane" if row.direction == "theta_one" else "Every theta is shown in a plane of its own"
    )
    length = "the largest change of any input value" if row.norm == "linf" else "the Euclidean length of the change"
    clipped = "; clipped to legal inputs" if row.clip else ""
    return f"{planes}. A number on an axis is {length} there, in input units{clipped}."


def caption(row: SurfaceRow, draw: int, family: Sequence[SurfaceGrid]) -> str:
    """Return the settings in which a panel differs from the others of its row."""
    sketched = [grid.row for grid in family if grid.row.theta < 1]
    words = [f"theta {row.theta:g}"]
    if row.theta < 1 and len({other.sketch_modes for other in sketched}) > 1:
        words.append(f"modes {row.sketch_modes}")
    if row.theta < 1 and len({other.rescale for other in sketched}) > 1:
        words.append("rescaled" if row.rescale else "not rescaled")
    return ", ".join([*words, *([f"draw {draw + 1}"] if row.draws > 1 else [])])


def _table(family: Sequence[SurfaceGrid]) -> str:
    head = "".join(f"<th>{title}</th>" for title in ("theta", "draws", "loss at the example", "least", "greatest", "points right %", "job"))
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(grid))}</tr>" for grid in family)
    return f"<div class='table'><table><tr>{head}</tr>{rows}</table></div>"


def _cells(grid: SurfaceGrid) -> list[str]:
    row, right = grid.row, float((grid.predictions == grid.row.label).mean())
    losses = [f"{loss:.3g}" for loss in (row.clean_loss, row.least_loss, row.greatest_loss)]
    return [f"{row.theta:g}", str(row.draws), *losses, f"{right:.1%}".rstrip("%"), row.job_key[:8]]
