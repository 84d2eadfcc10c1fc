"""Number of a space's jobs, found before any of them is made."""

from collections.abc import Iterable, Iterator

from orchestrator.planning import MAX_JOBS
from search_spaces import Grid
from search_spaces.schema.axes import AxisSection
from search_spaces.schema.wording import listed
from workers.errors import UserError


def check_count(grids: Iterable[Grid], max_jobs: int = MAX_JOBS) -> None:
    """Check that grids have at most `max_jobs` jobs. Equal jobs are counted as often as they come, every model as a randomised one.

    Raises:
        UserError: they have more; the message names the axes and their numbers of values.
    """
    counted = [(count(grid), grid) for grid in grids]
    total = sum(number for number, _ in counted)
    if total > max_jobs:
        axes = dict(_axes(max(counted, key=lambda pair: pair[0])[1])) | {"variants": len(counted)}
        several = sorted(((number, name) for name, number in axes.items() if number > 1), reverse=True)
        named = listed(f"{name} {number:,}" for number, name in several)
        raise UserError(f"about {total:,} jobs, more than --max-jobs {max_jobs:,}; values by axis: {named}")


def count(grid: Grid) -> int:
    """Return at least as many as the grid's measurements of models are, equal ones counted as often as they come."""
    models = len(grid.seed)
    for section in (grid.data, grid.model, grid.training, grid.defence, grid.fine_tuning):
        models *= section.size
    attacks, surfaces = (
        _shards(grid) * sum(group.size * group.jobs_each for group in grid.attacks),
        sum(group.size for group in grid.surfaces),
    )
    corruptions = 0 if grid.corruptions is None else grid.corruptions.size * grid.evaluation.repeats
    splits = len(grid.splits) if any(grid.data.validation_examples) else 1
    return models * (1 + splits * grid.evaluation.repeats * (1 + attacks) + (grid.diagnosis is not None) + surfaces + corruptions)


def _shards(grid: Grid) -> int:
    """Return how many jobs an attack has, in a race with the one that joins them."""
    return 1 if grid.racing is None else 1 + -(-(grid.evaluation.examples or 0) // grid.racing.shard)


def _axes(grid: Grid) -> Iterator[tuple[str, int]]:
    """Yield the number of values of each axis."""
    yield from (("seed", len(grid.seed)), ("evaluation.repeats", grid.evaluation.repeats), ("shards of a race", _shards(grid)))
    sections: dict[str, object] = {name: getattr(grid, name) for name in ("data", "model", "defence", "training", "fine_tuning")}
    sections |= {f"{name}.{number}": group for name in ("attacks", "surfaces") for number, group in enumerate(getattr(grid, name))}
    for place, section in sections.items():
        assert isinstance(section, AxisSection)  # noqa: S101 (the others are no axes)
        yield from ((f"{place}.{name}", len(values)) for name, values in section.axes.items())
