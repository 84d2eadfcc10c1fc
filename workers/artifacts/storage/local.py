"""Artifacts in a folder of this machine, or in one that machines share."""

import errno
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workers.artifacts.storage.base import TEMPORARY, Check, nothing
from workers.errors import StorageError, SupersededError
from workers.regular_files import read_regular

_KEY, _DIGITS = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{2}")
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class LocalStorage:
    """A folder of this machine, or one that machines share. Files are flushed to disk before they appear.

    A job's folder is in one of 256 that are named by the first two digits of its key: a single one of 100,000 entries is slow to list, and
    on some file systems to look into. Where an earlier version left it directly below the root, it stays.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def where(self, path: str = "") -> str:
        return str(self._at(path))

    def _at(self, path: str) -> Path:
        """Return where a file or folder is, or is to be."""
        folder, _, name = path.partition("/")
        if not _KEY.fullmatch(folder) or os.path.lexists(self._root / folder):
            return self._root / path
        return self._root / _below(folder) / name

    def read(self, path: str) -> bytes:
        with self._failing(path, FileNotFoundError):
            return read_regular(self._at(path))

    def write(self, path: str, content: bytes, *, attempt: str, check: Check = nothing) -> None:
        with self._failing(path), self._written(path, content, attempt) as temporary:
            check()
            self._rename(temporary, self._at(path))

    def _rename(self, temporary: Path, path: Path) -> None:
        try:
            temporary.replace(path)
        except FileNotFoundError as error:
            raise SupersededError(f"{path}: another attempt at the job removed the file that this one was writing") from error

    def create(self, path: str, content: bytes, *, attempt: str) -> bool:
        with self._failing(path), self._written(path, content, attempt) as temporary:
            try:
                self._at(path).hardlink_to(temporary)
            except FileExistsError:
                return False
            except FileNotFoundError as error:
                raise SupersededError(f"{self.where(path)}: another attempt at the job removed the file that this one wrote") from error
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return self._create_without_links(path, content)
        return True

    def _create_without_links(self, path: str, content: bytes) -> bool:
        """Write without hard links: the file may stay half written if the machine crashes, which its reader detects."""
        target = self._at(path)
        try:
            _write_through(target, content, mode="xb")
        except FileExistsError:
            return False
        except OSError:
            target.unlink(missing_ok=True)
            raise
        return True

    @contextmanager
    def _written(self, path: str, content: bytes, attempt: str) -> Iterator[Path]:
        """Write the content under a temporary name, removed afterwards."""
        target = self._own(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{attempt}{TEMPORARY}")
        try:
            _write_through(temporary, content, mode="wb")
            yield temporary
        finally:
            with suppress(OSError):
                temporary.unlink()

    def _own(self, path: str) -> Path:
        """Return the path of a file to be changed, whose folder must be no link to another place."""
        target = self._at(path)
        if any(folder.is_symlink() for folder in target.parents if self._root in folder.parents):
            raise OSError(errno.ELOOP, "its folder is a symbolic link, through which nothing is written")
        return target

    def remove(self, path: str) -> None:
        with self._failing(path):
            self._own(path).unlink(missing_ok=True)

    def files(self, folder: str) -> dict[str, int]:
        with self._failing(folder):
            return dict(_sizes(_entries(self._at(folder))))

    def folders(self, *, having: str | None = None, among: Collection[str] | None = None) -> frozenset[str]:
        with self._failing(""):
            if having is not None and among is not None:  # a place may hold many more folders than the ones asked for
                return frozenset(name for name in among if any(self._is_file(f"{place}/{having}") for place in (_below(name), name)))
            places = dict(self._all_folders())
            return frozenset(name for name, place in places.items() if having is None or self._is_file(f"{place}/{having}"))

    def _is_file(self, place: str) -> bool:
        return os.path.isfile(f"{self._root}/{place}")  # noqa: PTH113 (as quick as it can be)

    def _all_folders(self) -> Iterator[tuple[str, str]]:
        """Yield the names of all folders, and their paths below the root."""
        for entry in _entries(self._root):
            if not entry.is_dir(follow_symlinks=False):
                continue
            if _DIGITS.fullmatch(entry.name):
                yield from ((inner.name, f"{entry.name}/{inner.name}") for inner in _entries(entry) if inner.is_dir(follow_symlinks=False))
            else:
                yield entry.name, entry.name

    def remove_folder(self, folder: str) -> None:
        with self._failing(folder), suppress(FileNotFoundError):
            shutil.rmtree(self._at(folder))

    @contextmanager
    def _failing(self, path: str, *passed: type[OSError]) -> Iterator[None]:
        """Convert errors of the operating system to `StorageError`, except the `passed` errors."""
        try:
            yield
        except passed:
            raise
        except OSError as error:
            raise StorageError(f"{self.where(path)}: {(error.strerror or str(error)).lower()}") from error


def _below(key: str) -> str:
    """Return the path of a job's folder below the root, where no earlier version made it."""
    return f"{key[:2]}/{key}" if _KEY.fullmatch(key) else key


def _entries(folder: "Path | os.DirEntry[str]") -> list[os.DirEntry[str]]:
    """Return a folder's entries, even while some are being removed; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _sizes(entries: Iterable[os.DirEntry[str]]) -> Iterator[tuple[str, int]]:
    """Yield the names and sizes of files, except those that were removed meanwhile, as temporary ones of another attempt."""
    for entry in entries:
        with suppress(FileNotFoundError):
            if entry.is_file():
                yield entry.name, entry.stat().st_size


def _write_through(path: Path, content: bytes, *, mode: str) -> None:
    """Write a file and flush it to disk."""
    with path.open(mode) as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
