"""Storage of artifacts: in a folder, or in any store that fsspec supports (`s3://`, `gs://`, ...).

Paths are `FOLDER/NAME`, relative to the storage's root, below which jobs' folders are spread (see `workers.artifacts.storage.base`).
A file appears complete or not at all.
"""

import re
from collections.abc import Callable, Collection
from typing import Protocol

TEMPORARY = ".tmp"
Check = Callable[[], None]


def nothing() -> None:
    """Check nothing."""


class Storage(Protocol):
    """Files below one root. Any failure of the place itself is a `StorageError` that names the file."""

    def where(self, path: str = "") -> str:
        """Return the file's (or folder's) path or URL; the storage's own by default."""
        ...

    def read(self, path: str) -> bytes:
        """Return a file's content.

        Raises:
            FileNotFoundError: there is no such file.
        """
        ...

    def write(self, path: str, content: bytes, *, attempt: str, check: Check = nothing) -> None:
        """Write a file, or replace it. `attempt` is part of temporary names; `check` is called last before the file appears.

        Raises:
            SupersededError: another attempt removed this one's temporary file.
        """
        ...

    def create(self, path: str, content: bytes, *, attempt: str) -> bool:
        """Write a file where there is none; return True where this call wrote it."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, if there is one."""
        ...

    def files(self, folder: str) -> dict[str, int]:
        """Return the names of a folder's files, hidden ones too, and their sizes in bytes; none where there is no such folder."""
        ...

    def folders(self, *, having: str | None = None, among: Collection[str] | None = None) -> frozenset[str]:
        """Return the names of all folders, or of those that have a file of this name, or of those of them that are `among` these."""
        ...

    def remove_folder(self, folder: str) -> None:
        """Remove a folder and its contents."""
        ...


_KEY, _SHARD = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{2}")
_DIGITS = 2


def is_job(folder: str) -> bool:
    """Tell whether a folder of this name is a job's."""
    return _KEY.fullmatch(folder) is not None


def is_shard(folder: str) -> bool:
    """Tell whether a folder of this name holds jobs' folders."""
    return _SHARD.fullmatch(folder) is not None


def sharded(path: str) -> str:
    """Return the place of a path that begins with a job's key: `KE/KEY/NAME`."""
    return f"{path[:_DIGITS]}/{path}"
