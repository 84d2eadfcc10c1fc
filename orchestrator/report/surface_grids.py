"""Loss surfaces with their grids, for pictures: rows from the store, arrays from the artifacts. Needs no torch."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from orchestrator.naming.names import surface_name
from orchestrator.naming.own_settings import hashable
from orchestrator.store import Store, SurfaceRow, surface_rows
from workers.artifacts.artifacts import Artifacts
from workers.errors import ArtifactError

if TYPE_CHECKING:
    from orchestrator.report.figures import SurfacePlot

SURFACE_FILE = "surface.safetensors"


@dataclass(frozen=True, kw_only=True)
class SurfaceGrid:
    """Loss surface with read-only arrays.

    `losses` (draws, resolution, resolution) is the cross-entropy of the true label, `predictions` of the same shape the predicted class;
    rows follow y, columns x. `coordinates` (resolution,) are the points of either axis, in input units; `directions` (2, *shape) are
    the axes, `example` (*shape) is the point at (0, 0).
    """

    row: SurfaceRow
    losses: NDArray[np.float32]
    predictions: NDArray[np.uint8]
    coordinates: NDArray[np.float64]
    directions: NDArray[np.float32]
    example: NDArray[np.float32]

    def ball(self, epsilon: float, *, corners: int = 720) -> NDArray[np.float64]:
        """Return the edge of the ball of radius `epsilon` around the example, in the norm of the axes, where the plane cuts it: points
        (x, y), shape (corners + 1, 2), the last one equal to the first. Under l2 it is a circle, under l-infinity a polygon that cuts
        the axes where the circle does."""
        angles = np.linspace(0, 2 * np.pi, corners + 1)
        rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        order = 2 if self.row.norm == "l2" else np.inf
        axes = self.directions.reshape(2, -1).astype(np.float64)
        lengths = np.array([np.linalg.norm(ray @ axes, ord=order) for ray in rays])
        edge: NDArray[np.float64] = epsilon * rays / lengths[:, None]
        return edge


def surface_grids(store: Store, artifacts: Artifacts, sweep: str | None) -> tuple[list[SurfaceGrid], list[str]]:
    """Return the surfaces of a sweep (None: of all) in the order of `surface_rows`, and one line for each whose artifact cannot be read.

    Raises:
        UserError: no such sweep.
    """
    grids, problems = [], []
    for row in surface_rows(store, sweep):
        try:
            grids.append(SurfaceGrid(row=row, **_arrays(artifacts, row.job_key)))
        except ArtifactError as error:
            problems.append(str(error))
    return grids, problems


def _arrays(artifacts: Artifacts, key: str) -> dict[str, Any]:
    arrays = load(artifacts.read(key, SURFACE_FILE))
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def families(grids: Sequence[SurfaceGrid]) -> list[list[SurfaceGrid]]:
    """Group the surfaces that are shown side by side, each family in the given order: they differ only in theta, in settings of the sketch
    and in draws. A net without randomness whose own direction is that of theta = 1 belongs to the families of either direction."""
    related: defaultdict[tuple[Hashable, ...], list[SurfaceGrid]] = defaultdict(list)
    for grid in grids:
        related[_family(grid.row)].append(grid)
    return [family for relatives in related.values() for family in _by_direction(relatives)]


def _family(row: SurfaceRow) -> tuple[Hashable, ...]:
    rank = (row.rank_fraction, row.rank_kind, hashable(row.rank_fractions))
    model = (row.dataset, row.train_examples, row.model, hashable(row.model_settings), row.tensorized, *rank, row.binary)
    training = (hashable(row.training), row.adversarial_training, row.defence, hashable(row.defence_settings), row.seed)
    return (row.sweep, *model, *training, row.example, row.extent, row.resolution, row.norm, row.clip)


def _by_direction(relatives: Sequence[SurfaceGrid]) -> list[list[SurfaceGrid]]:
    directions = dict.fromkeys(grid.row.direction for grid in relatives if not _is_either(grid.row))
    found = [[grid for grid in relatives if grid.row.direction == direction or _is_either(grid.row)] for direction in directions]
    return found or [list(relatives)]


def _is_either(row: SurfaceRow) -> bool:
    """Return whether the direction of theta = 1 is the model's own one."""
    return row.direction == "theta_one" and row.source_key == row.model_key and not row.randomised


def surface_draws(family: Sequence[SurfaceGrid]) -> "list[SurfacePlot]":
    """Each draw of each net by itself: where the loss lies under one draw of the sketch says nothing of another's."""
    from orchestrator.report.figures import SurfacePlot

    rows = [grid.row for grid in family]
    found = [(surface_name(grid.row, draw, rows), grid, draw) for grid in family for draw in range(grid.row.draws)]
    alike = Counter(label for label, _, _ in found)
    return [
        SurfacePlot(
            label=label if alike[label] == 1 else f"{label}, job {grid.row.job_key[:8]}",
            losses=grid.losses[draw : draw + 1],
            right=grid.predictions[draw : draw + 1] == grid.row.label,
            axis=grid.coordinates,
            ball=None if grid.row.norm == "l2" else grid.ball(1.0),
        )
        for label, grid, draw in sorted(found, key=lambda one: one[2])
    ]
