"""Gets data sets' published files, by torchvision and torchaudio, into a data root on this machine."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from workers.data.loading.array_cache import one_at_a_time
from workers.data.loading.source import DataSource
from workers.errors import DataError

_TEMPORARY = ".tmp"


def lacks(source: DataSource, root: Path) -> bool:
    """Tell whether a data set that can be downloaded is not in `root`, or not whole, as far as names of files show."""
    if source.download is None:
        return False
    try:
        source.check(root)
        source.sizes(root)
    except DataError:
        return True
    return False


def download(source: DataSource, root: Path) -> None:
    """Download what a data set lacks. `root` is made where it does not exist; files in it that were not published stay as they are.

    Everything is unpacked in a temporary folder of `root` and then moved: a folder that was not there before appears whole.

    Raises:
        DataError: the files cannot be had, or are not the published ones, or this machine's disk cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(root / f".{source.folder}.lock") as alone:
            if source.download is not None and lacks(source, root):
                if alone:
                    _clear_leftovers(source, root)
                _fetch(source.download, source.folder, root)
    except (OSError, RuntimeError) as error:  # RuntimeError: a wrong checksum
        raise DataError(f"{source.folder}: cannot be downloaded to {root}: {' '.join(str(error).split())}") from error


def _clear_leftovers(source: DataSource, root: Path) -> None:
    for leftover in root.glob(f".{source.folder}.*{_TEMPORARY}"):
        shutil.rmtree(leftover, ignore_errors=True)


def _fetch(fetch: Callable[[Path], None], folder: str, root: Path) -> None:
    temporary = Path(mkdtemp(prefix=f".{folder}.", suffix=_TEMPORARY, dir=root))
    try:
        fetch(temporary)
        _move(temporary / folder, root / folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move(new: Path, place: Path) -> None:
    """Move a file or a folder to its place; of a folder that is there already, what is in the new one."""
    if new.is_dir() and place.is_dir():
        for entry in new.iterdir():
            _move(entry, place / entry.name)
    else:
        new.replace(place)
