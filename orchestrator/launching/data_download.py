"""The option `--download` of `launch`: published data sets, got before the first job runs."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from orchestrator.planning.prelaunch_checks import needed_data
from orchestrator.search.possible_jobs import possible_jobs
from orchestrator.terminal.console import say
from search_spaces import Space
from workers.data.loading import source
from workers.data.loading.download import download, lacks
from workers.data.loading.remote import DataRoot
from workers.errors import UserError
from workers.spec.component import DataSpec
from workers.spec.job import Job


def download_folder(root: DataRoot) -> Path:
    """The folder that data sets are downloaded into.

    Raises:
        UserError: none is given, or a URL.
    """
    if isinstance(root, Path):
        return root
    where = "no data folder given" if root is None else f"--data {root}: is a URL"
    raise UserError(f"--download: {where}; give a folder: --data DIR or ROBUSTSWEEP_DATA")


def download_data(jobs: Iterable[Job], root: Path, console: Console) -> None:
    """Download the data sets that jobs need and `root` lacks.

    Raises:
        DataError: one cannot be downloaded.
    """
    _download(needed_data(jobs), root, console)


def download_keyed_data(space: Space, root: Path, console: Console) -> None:
    """Download those data sets of a space that `root` lacks and whose files' content is part of the jobs' keys.

    Raises:
        DataError: one cannot be downloaded.
    """
    named: Iterable[DataSpec] = needed_data(possible_jobs(space)) if space.method == "optuna" else ()
    if space.method == "grid":
        points = [DataSpec.model_validate(point) for grid in space.grids for point in grid.data.points()]
        named = [*points, *(extra for data in points if (extra := data.extra_data) is not None)]
    _download(dict.fromkeys(data.whole for data in named if data.facts.files is not None), root, console)


def _download(needed: Iterable[DataSpec], root: Path, console: Console) -> None:
    for data in needed:
        if lacks(source(data), root):
            say(console, f"{data.name}: downloading to {root}")
            download(source(data), root)
