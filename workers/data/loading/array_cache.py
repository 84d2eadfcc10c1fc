"""Arrays that are costly to make, kept as memory-mapped files that all workers of a machine share.

A cached array is named after its content's key. It appears whole or not at all (written under a temporary name, then renamed), and one
process makes it while the others wait. Any file in the folder may be deleted at any time: it is made again.
"""

import fcntl
import hashlib
import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.errors import DataError, os_reason
from workers.files import TEMPORARY, user_cache, write_text

Rows = NDArray[Any]


def cache_folder(root: Path) -> Path:
    """Return the folder of arrays made from the data in `root`: `root/.robustsweep-cache`, or the user's cache where that is read-only."""
    cache = root / ".robustsweep-cache"
    if os.access(cache if cache.is_dir() else root, os.W_OK):
        return cache
    return user_cache()


def stat_key(description: str, paths: Iterable[Path]) -> str:
    """A key of what the files hold: their names, sizes and modification times, and a description of what is made of them.

    Reading the files instead takes as long as decoding them (SHA-256 of 2,300 one-second clips: 0.12 s, decoding: 0.13 s, stat: 0.006 s).

    Raises:
        DataError: one of them is not there, as where a link leads nowhere.
    """
    digest = hashlib.sha256(description.encode())
    for path in paths:
        try:
            stat = path.stat()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {os_reason(error)}") from error
        digest.update(f"\n{path.name}/{stat.st_size}/{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def cached_rows(folder: Path, name: str, shape: tuple[int, ...], rows: Iterable[Rows], *, kind: str = "<i2") -> Rows:
    """The array of this shape and name: memory-mapped where it exists whole, else made of `rows` first.

    `kind` is NumPy's name of its values' type, `<i2` or `|u1`.

    The map is private: writing into it changes neither the file nor what other processes see.

    Raises:
        DataError: the folder cannot be written.
    """
    path = folder / f"{name}.npy"
    if (found := _mapped(path, shape, kind)) is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(folder / f"{name}.lock") as alone:
            if (found := _mapped(path, shape, kind)) is None:
                if alone:
                    _clear_leftovers(path)
                _write(path, shape, rows, kind)
    except OSError as error:
        raise DataError(f"cache {path}: {os_reason(error)}") from error
    found = _mapped(path, shape, kind)
    if found is None:
        raise DataError(f"cache {path}: it was written and cannot be read back")
    return found


def cached_text(path: Path, make: Callable[[], str]) -> str:
    """The text in a file of the cache; where it is not there, the one that is made, and kept if that is possible."""
    try:
        return path.read_text("utf-8")
    except OSError:
        text = make()
    with suppress(OSError):
        write_text(path, text)
    return text


def release(rows: Rows) -> None:
    """Give the memory back that a memory-mapped array, unchanged since, has taken; what is read again comes from the file."""
    base: Any = rows
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is not None:
        base.madvise(mmap.MADV_DONTNEED)


def _mapped(path: Path, shape: tuple[int, ...], kind: str) -> Rows | None:
    """The array, or None where the file is absent, truncated or of another shape."""
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == np.dtype(kind) else None


def _write(path: Path, shape: tuple[int, ...], rows: Iterable[Rows], kind: str) -> None:
    # Written, not mapped: on a full disk a write is an error, a store into a map kills the process.
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.stem}.", suffix=TEMPORARY, delete=False) as file:
        temporary = Path(file.name)
        try:
            np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
            for row in rows:
                file.write(row.astype(kind).tobytes())
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _clear_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{path.stem}.*{TEMPORARY}"):
        leftover.unlink(missing_ok=True)


@contextmanager
def one_at_a_time(path: Path) -> Iterator[bool]:
    """Inside, this process alone works under the lock file; False where there are no locks (some network file systems): others may too."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            alone = True
        except OSError:
            alone = False
        yield alone
