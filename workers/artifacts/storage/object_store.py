"""Artifacts in any store that fsspec supports: `s3://BUCKET/PREFIX`, `gs://`, `memory://`, ..."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from workers.artifacts.storage.base import TEMPORARY, Check, is_job, is_shard, nothing, sharded
from workers.errors import StorageError, UserError, first_line

# In these an object appears complete; elsewhere a file is written under a temporary name and then renamed.
_OBJECT_STORES = frozenset({"abfs", "abfss", "adl", "az", "gcs", "gs", "memory", "oci", "oss", "r2", "s3", "s3a"})
_NO_PLACES = frozenset({"data", "ftp", "git", "github", "http", "https", "libarchive", "reference", "tar", "zip"})
_PACKAGES = {"s3": "'robustsweep[s3]'", "s3a": "'robustsweep[s3]'", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}


def open_filesystem(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, and the URL's path in it.

    Raises:
        UserError: there is no such kind of file system, its package is missing, or it refuses the URL.
    """
    from fsspec.core import url_to_fs

    scheme, _, rest = url.partition("://")
    if not rest.strip("/"):
        raise UserError(f"{url}: names no host, bucket or path; write {scheme}://NAME/PATH")
    try:
        # Other processes write there too: a cached listing would be outdated.
        filesystem, root = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        wanted = f"pip install {_PACKAGES[scheme]}" if scheme in _PACKAGES else str(error)
        raise UserError(f"{url}: the package for {scheme}:// is not installed: {wanted}") from error
    except Exception as error:  # file systems refuse a URL in whatever way their makers chose
        legal = "give a path, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, or another URL that fsspec supports"
        raise UserError(f"{url}: {first_line(error)}; {legal}") from error
    return filesystem, str(root).rstrip("/")


class FsspecStorage:
    """Files below one URL."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        if (scheme := url.partition("://")[0]) in _NO_PLACES:
            raise UserError(f"{url}: {scheme}:// is no place for artifacts; give a path, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX")
        self._filesystem, self._root = open_filesystem(url)
        self._appears_whole = url.partition("://")[0] in _OBJECT_STORES

    def where(self, path: str = "") -> str:
        return f"{self._url}/{self._at(path)}" if path else self._url

    def _path(self, path: str) -> str:
        return f"{self._root}/{self._at(path)}" if path else self._root

    def _at(self, path: str) -> str:
        folder = path.partition("/")[0]
        if not is_job(folder):
            return path
        is_here = folder in self._jobs_at_root and self._found_below(f"{self._root}/{folder}")
        return path if is_here else sharded(path)

    @cached_property
    def _jobs_at_root(self) -> frozenset[str]:
        """The jobs that earlier versions have left at the root; there will be no further ones, but some may be discarded."""
        with self._failing("", FileNotFoundError), suppress(FileNotFoundError):
            entries = self._filesystem.ls(self._root, detail=False)
            return frozenset(filter(is_job, (str(entry).rstrip("/").rpartition("/")[2] for entry in entries)))
        return frozenset()

    def read(self, path: str) -> bytes:
        with self._failing(path, FileNotFoundError):
            content: bytes = self._filesystem.cat_file(self._path(path))
            return content

    def write(self, path: str, content: bytes, *, attempt: str, check: Check = nothing) -> None:
        if self._appears_whole:
            check()
            with self._failing(path):
                self._filesystem.pipe_file(self._path(path), content)
            return
        folder, _, name = path.rpartition("/")
        temporary = f"{folder}/.{name}.{attempt}{TEMPORARY}"
        try:
            with self._failing(path):
                self._make_folder(path)
                self._filesystem.pipe_file(self._path(temporary), content)
            check()
            with self._failing(path):
                self._filesystem.mv(self._path(temporary), self._path(path))
        finally:
            self.remove(temporary)

    def create(self, path: str, content: bytes, *, attempt: str) -> bool:  # noqa: ARG002 (nothing is written under another name)
        """Create a file. Most object stores ensure that only one writer succeeds; otherwise the last writer's file stays, complete."""
        try:
            with self._failing(path, FileExistsError):
                self._make_folder(path)
                self._filesystem.pipe_file(self._path(path), content, mode="create")
        except FileExistsError:
            return False
        return True

    def _make_folder(self, path: str) -> None:
        """Make the file's folder, where the store has folders (in an object store this would create the bucket)."""
        if not self._appears_whole:
            self._filesystem.makedirs(self._path(path.rpartition("/")[0]), exist_ok=True)

    def remove(self, path: str) -> None:
        with self._failing(path, FileNotFoundError), suppress(FileNotFoundError):
            self._filesystem.rm_file(self._path(path))

    def files(self, folder: str) -> dict[str, int]:
        return {name: size for name, size in self._found(folder).items() if "/" not in name}

    def folders(self, *, having: str | None = None, among: Collection[str] | None = None) -> frozenset[str]:
        if among is not None and not among:
            return frozenset()
        found = (path.split("/")[is_shard(path.partition("/")[0]) :] for path in self._found(""))
        names = frozenset(parts[0] for parts in found if len(parts) == 2 and having in (None, parts[1]))  # noqa: PLR2004 (FOLDER/NAME)
        return names if among is None else names & frozenset(among)

    def remove_folder(self, folder: str) -> None:
        with self._failing(folder, FileNotFoundError), suppress(FileNotFoundError):
            self._filesystem.rm(self._path(folder), recursive=True)

    def _found(self, folder: str) -> dict[str, int]:
        """Return the sizes of all files below a folder, by their path relative to it."""
        with self._failing(folder):
            return self._found_below(self._path(folder))

    def _found_below(self, path: str) -> dict[str, int]:
        with suppress(FileNotFoundError):
            return {found[len(path) + 1 :]: int(info["size"] or 0) for found, info in self._filesystem.find(path, detail=True).items()}
        return {}

    @contextmanager
    def _failing(self, path: str, *passed: type[OSError]) -> Iterator[None]:
        """Convert errors of the file system or the network to `StorageError`, except the `passed` errors."""
        try:
            yield
        except Exception as error:
            if isinstance(error, passed):
                raise
            raise StorageError(f"{self.where(path)}: {first_line(error)}") from error
