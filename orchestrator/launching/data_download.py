"""The option `--download` of `launch`: published data sets, got before the first job runs."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console

from orchestrator.console import say
from workers.data import DATASETS
from workers.data.download import download, lacks
from workers.data.remote import DataRoot
from workers.errors import UserError
from workers.spec.fields import DatasetName
from workers.spec.job import Job, TrainSpec


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
    for name in lacking(jobs, root):
        say(console, f"{name}: downloading to {root}")
        download(DATASETS[name], root)


def lacking(jobs: Iterable[Job], root: Path) -> Iterator[DatasetName]:
    """The data sets of the jobs that are not in `root` and can be downloaded."""
    for name in sorted({job.spec.data.name for job in jobs if isinstance(job.spec, TrainSpec)}):
        if lacks(DATASETS[name], root):
            yield name
