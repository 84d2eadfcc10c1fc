"""Storage of artifacts: in a folder, or in any store that fsspec supports (`s3://`, `gs://`, ...)."""

from pathlib import Path

from workers.artifacts.storage.base import TEMPORARY, Check, Storage, nothing
from workers.artifacts.storage.local import LocalStorage
from workers.errors import UserError

__all__ = ["TEMPORARY", "Check", "LocalStorage", "Storage", "absolute", "absolute_path", "nothing", "open_storage"]


_LONGEST_PATH, _LONGEST_NAME = 4000, 255


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
    return str(place) if "://" in str(place) else str(absolute_path(place))


def absolute_path(place: str | Path) -> Path:
    """Return the path with its `~` and the working directory filled in.

    Raises:
        UserError: it has a NUL, is not UTF-8 or too long, or there is no such user.
    """
    try:
        if b"\0" in str(place).encode():
            raise UserError(f"{place}: no path has a NUL")
        path = Path(place).expanduser().absolute()
    except UnicodeEncodeError:
        raise UserError(f"{place}: a path must be UTF-8") from None
    except RuntimeError:
        raise UserError(f"{place}: there is no such user; write ./~ for a folder that begins with ~") from None
    if len(bytes(path)) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in path.parts):
        raise UserError(f"{str(place)[:60]}...: a path has at most {_LONGEST_PATH} bytes, and {_LONGEST_NAME} in each of its names")
    return path
