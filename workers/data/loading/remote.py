"""Data sets that are kept at a URL: each is fetched once per machine into a folder of the user's cache, then read as a local one."""

import errno
import hashlib
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from workers.artifacts.storage import absolute_path
from workers.data.loading.array_cache import one_at_a_time
from workers.data.loading.source import Dataset, DataSource
from workers.errors import DataError, UserError, first_line, os_reason
from workers.files import user_cache

DataRoot = Path | str | None
"""Place of data sets: a folder, or (a text with `://` in it) a URL of fsspec."""


def data_root(place: str | None) -> DataRoot:
    """Return the data root from what a person gave as the place of the data.

    Raises:
        UserError: a file:// URL that is no absolute path, or what no path can be.
    """
    if place is None or ("://" in place and not place.startswith("file://")):
        return place or None
    path = place.removeprefix("file://")
    if path != place and not path.startswith("/"):
        raise UserError(f"{place}: must be file:///ABSOLUTE/PATH")
    return absolute_path(path)


def load(source: DataSource, root: DataRoot, *, digest: str | None = None) -> Dataset:
    """Read a data set and verify it as `source.load` does; a fetched copy that is damaged is fetched again.

    Args:
        source: the data set.
        root: where it is.
        digest: that which its files must have; None for any.

    Raises:
        DataError: the files are missing or damaged, where they come from too, or others than they were.
    """
    if not isinstance(root, str):
        return _unchanged(source, root, digest)
    try:
        return _unchanged(source, _fetched(source, root, again=False), digest)
    except DataError:
        return _unchanged(source, _fetched(source, root, again=True), digest)


def _unchanged(source: DataSource, root: Path | None, digest: str | None) -> Dataset:
    found = None if digest is None else source.digest(root)
    if found != digest:
        name = source.component.name
        raise DataError(f"{name}: its files in {root} ({found or 'none'}) are not those of the plan ({digest}); launch again")
    return source.load(root)


def digest(source: DataSource, root: DataRoot) -> str | None:
    """The digest of a data set's files, where they are part of a job's key. Those at a URL are fetched, and again where names or sizes
    there are no longer those of the copy.

    Raises:
        DataError: they are, and some are missing or cannot be read.
    """
    if source.component.facts.files is None:
        return None
    if not isinstance(root, str):
        return source.digest(root)
    here = _fetched(source, root, again=False)
    return source.digest(here if here is None or _is_copy(root, here / source.folder) else _fetched(source, root, again=True))


def _is_copy(url: str, copy: Path) -> bool:
    """Tell whether the folder at `url` has the files of its copy, by their names and sizes."""
    here = {path.relative_to(copy).as_posix(): path.stat().st_size for path in copy.rglob("*") if path.is_file()}
    return dict(_listing(url, copy.name).values()) == here


def verify(source: DataSource, root: DataRoot) -> None:
    """Check that a data set's files can be used, by reading those that have not been read yet; of a URL, that its folder is there.

    Raises:
        DataError: they cannot.
    """
    if isinstance(root, str):
        check(source, root)
    else:
        source.verify(root)


def check(source: DataSource, root: DataRoot) -> None:
    """Check that a data set's files are in place; of a URL, that its folder is there.

    Raises:
        DataError: they are not.
    """
    if not isinstance(root, str):
        source.check(root)
    elif source.folder:
        _listing(root, source.folder)


def sizes(source: DataSource, root: DataRoot) -> tuple[int | None, int | None]:
    """The numbers of training and test examples; None where they depend on files that are not on this machine."""
    return source.sizes(None if isinstance(root, str) else root)


def _fetched(source: DataSource, url: str, *, again: bool) -> Path | None:
    """The local data root with the data set of `url` in it."""
    if not source.folder:
        return None
    here = user_cache() / "data" / hashlib.sha256(url.encode()).hexdigest()[:16]
    target = here / source.folder
    found = target.stat().st_ino if target.is_dir() else None
    if found is not None and not again:
        return here
    try:
        here.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(here / f"{source.folder}.lock"):
            if (target.stat().st_ino if target.is_dir() else None) == found:  # else another process has fetched it meanwhile
                _fetch(url, target)
    except OSError as error:
        raise DataError(f"{target}: {os_reason(error)}") from error
    return here


def _fetch(url: str, target: Path) -> None:
    """Copy the folder of this name at `url` to `target`, which appears whole."""
    for leftover in target.parent.glob(f".{target.name}.*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary = Path(mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        _copy(url, target.name, temporary / "new")
        if target.exists():
            target.rename(temporary / "old")
        (temporary / "new").rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _copy(url: str, folder: str, target: Path) -> None:
    """Copy a folder at `url`.

    Raises:
        DataError: it cannot be fetched, or not whole; the message names the URL.
        OSError: this machine's disk is full, or cannot be written.
    """
    files = _listing(url, folder)
    copies = [target / name for name, _ in files.values()]
    try:
        _filesystem(url)[0].get(list(files), [str(copy) for copy in copies])
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise DataError(f"{url}: cannot be fetched: {first_line(error)}") from error
    for (path, (_, size)), copy in zip(files.items(), copies, strict=True):
        if copy.stat().st_size != size:
            raise DataError(f"{url}: {path} was not fetched whole: {copy.stat().st_size} of {size} bytes")


def _listing(url: str, folder: str) -> dict[str, tuple[str, int]]:
    """By their paths at `url` all files of a folder there: their names relative to it, and their sizes in bytes."""
    filesystem, root = _filesystem(url)
    start = f"{root}/{folder}/"
    try:
        found = {path: (path[len(start) :], info["size"]) for path, info in filesystem.find(start, detail=True).items()}
    except FileNotFoundError:
        found = {}
    except Exception as error:  # every file system and network has its own
        raise DataError(f"{url}: {first_line(error)}") from error
    if not found:
        raise DataError(f"{url}: looked for {folder}/ in it: not there")
    return found


@cache
def _filesystem(url: str) -> tuple[Any, str]:
    from workers.artifacts.storage.object_store import open_filesystem

    return open_filesystem(url)
