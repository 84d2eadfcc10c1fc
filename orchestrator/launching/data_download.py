"""The option `--download` of `launch`: published data sets, got before the first job runs."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console

from orchestrator.console import say
from orchestrator.planning.prelaunch_checks import needed_data
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
    for data in lacking(jobs, root):
        say(console, f"{data.name}: downloading to {root}")
        download(source(data), root)


def lacking(jobs: Iterable[Job], root: Path) -> Iterator[DataSpec]:
    """The data sets of the jobs that are not in `root` and can be downloaded."""
    for data in needed_data(jobs):
        if lacks(source(data), root):
            yield data
