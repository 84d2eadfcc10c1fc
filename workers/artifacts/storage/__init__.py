"""Storage of artifacts: in a folder, or in any store that fsspec supports (`s3://`, `gs://`, ...)."""

from pathlib import Path

from workers.artifacts.storage.base import TEMPORARY, Check, Storage, nothing
from workers.artifacts.storage.local import LocalStorage
from workers.errors import UserError

__all__ = ["TEMPORARY", "Check", "LocalStorage", "Storage", "absolute", "nothing", "open_storage"]


def open_storage(place: str | Path) -> Storage:
    """Return the storage at a path or URL.

    Raises:
        UserError: there is no such kind of storage, or its package is missing.
    """
    scheme, separator, rest = str(place).partition("://")
    if not separator:
        return LocalStorage(Path(place))
    if scheme in ("file", "local"):
        if not rest.startswith("/"):
            raise UserError(f"{place}: must be {scheme}:///ABSOLUTE/PATH")
        return LocalStorage(Path(rest))
    from workers.artifacts.storage.object_store import FsspecStorage

    return FsspecStorage(str(place))


def absolute(place: str | Path) -> str:
    """Return the place as a path that does not depend on the working directory; a URL unchanged."""
    return str(place) if "://" in str(place) else str(Path(place).expanduser().absolute())
