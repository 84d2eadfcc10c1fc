"""Artifacts in a folder of this machine, or in one that machines share."""

import errno
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workers.artifacts.storage.base import TEMPORARY, Check, is_job, is_shard, nothing, sharded
from workers.errors import StorageError, SupersededError, os_reason
from workers.files import read_regular

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class LocalStorage:
    """A folder of this machine, or one that machines share. Files are flushed to disk before they appear."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def where(self, path: str = "") -> str:
        return str(self._at(path))

    def _at(self, path: str) -> Path:
        folder = path.partition("/")[0]
        is_moved = is_job(folder) and not os.path.lexists(f"{self._root}/{folder}")
        return self._root / (sharded(path) if is_moved else path)

    def read(self, path: str) -> bytes:
        with self._failing(path, FileNotFoundError):
            return read_regular(self._at(path))

    def write(self, path: str, content: bytes, *, attempt: str, check: Check = nothing) -> None:
        with self._failing(path), self._written(path, content, attempt) as (temporary, target):
            check()
            self._rename(temporary, target)

    def _rename(self, temporary: Path, path: Path) -> None:
        try:
            temporary.replace(path)
        except FileNotFoundError as error:
            raise SupersededError(f"{path}: another attempt at the job removed the file that this one was writing") from error

    def create(self, path: str, content: bytes, *, attempt: str) -> bool:
        with self._failing(path), self._written(path, content, attempt) as (temporary, target):
            try:
                target.hardlink_to(temporary)
            except FileExistsError:
                return False
            except FileNotFoundError as error:
                raise SupersededError(f"{self.where(path)}: another attempt at the job removed the file that this one wrote") from error
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return self._create_without_links(target, content)
        return True

    def _create_without_links(self, target: Path, content: bytes) -> bool:
        """Write without hard links: the file may stay half written if the machine crashes, which its reader detects."""
        try:
            _write_through(target, content, mode="xb")
        except FileExistsError:
            return False
        except OSError:
            target.unlink(missing_ok=True)
            raise
        return True

    @contextmanager
    def _written(self, path: str, content: bytes, attempt: str) -> Iterator[tuple[Path, Path]]:
        """Write the content under a temporary name, removed afterwards; yield that, and the file's own place."""
        target = self._own(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{attempt}{TEMPORARY}")
        try:
            _write_through(temporary, content, mode="wb")
            yield temporary, target
        finally:
            with suppress(OSError):
                temporary.unlink()

    def _own(self, path: str) -> Path:
        """Return the path of a file to be changed, whose folder must be no link to another place."""
        target = self._at(path)
        between = target.parents[: len(target.relative_to(self._root).parents) - 1]
        if any(folder.is_symlink() for folder in between):
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
            if having is None:
                return self._folders()
            at_root = frozenset(entry.name for entry in _entries(self._root))
            # A place may hold many more folders than the ones asked for.
            asked = self._folders() | at_root if among is None else among
            return frozenset(name for name in asked if _has_file(self._root, name, having, at_root=name in at_root))

    def _folders(self) -> frozenset[str]:
        top = [entry.name for entry in _entries(self._root) if entry.is_dir(follow_symlinks=False)]
        in_shards = (entry for name in filter(is_shard, top) for entry in _entries(self._root / name))
        jobs = (entry.name for entry in in_shards if is_job(entry.name) and entry.is_dir(follow_symlinks=False))
        return frozenset(name for name in top if not is_shard(name)).union(jobs)

    def remove_folder(self, folder: str) -> None:
        with self._failing(folder), suppress(FileNotFoundError):
            shutil.rmtree(self._own(folder))

    @contextmanager
    def _failing(self, path: str, *passed: type[OSError]) -> Iterator[None]:
        """Convert errors of the operating system to `StorageError`, except the `passed` errors."""
        try:
            yield
        except passed:
            raise
        except OSError as error:
            raise StorageError(f"{self.where(path)}: {os_reason(error)}") from error


def _has_file(root: Path, folder: str, name: str, *, at_root: bool) -> bool:
    return os.path.isfile(f"{root}/{folder if at_root or not is_job(folder) else sharded(folder)}/{name}")  # noqa: PTH113 (as quick as it can be)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
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
