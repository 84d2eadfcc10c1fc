"""Files and folders: regular files alone, temporary folders, and the user's own cache. Imports no torch."""

import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from tempfile import NamedTemporaryFile

_RANDOM = "[a-z0-9_]{8}"
TO_KEEP = "old"
"""Name, in a temporary folder, of what must survive a killed process."""


@contextmanager
def folder_until_the_end(parent: Path, *, prefix: str) -> Iterator[Path]:
    """Make a folder that this user alone can enter and remove it at the end; remove those of dead processes with this prefix first.

    Raises:
        OSError: it cannot be made.
    """
    _remove_abandoned(parent, prefix)
    made, lock = _make(parent, prefix)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _make(parent: Path, prefix: str) -> tuple[Path, int | None]:
    """Make a folder and lock it; make another one if a process has taken it for abandoned in between."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            lock = _lock(made)
        except (BlockingIOError, FileNotFoundError):
            continue
        except OSError:  # some network file systems have no locks: nothing is removed there
            return made, None
        if made.exists():
            return made, lock
        os.close(lock)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        if re.fullmatch(re.escape(prefix) + _RANDOM, folder.name) and not (folder / TO_KEEP).exists():
            with suppress(OSError):  # its process is alive, or it is another user's
                lock = _lock(folder)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _lock(folder: Path) -> int:
    """Open and lock a folder; the lock is released when it is closed, or the process ends in any way.

    Raises:
        BlockingIOError: another process holds the lock.
        FileNotFoundError: the folder is gone.
        OSError: there are no locks.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise
    return opened


_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading.

    Raises:
        FileNotFoundError: there is no such file, or it is a pipe, a socket or a device, which the message says.
    """
    require_regular(path)
    return path.open("rb")


def read_regular(path: Path) -> bytes:
    """Return a file's content; see `open_regular`."""
    require_regular(path)
    return path.read_bytes()


def require_regular(path: Path) -> None:
    """Check that what is there is a file or a folder.

    Raises:
        FileNotFoundError: see `open_regular`.
    """
    if (kind := _KINDS.get(stat.S_IFMT(path.stat().st_mode))) is not None:
        raise FileNotFoundError(errno.ENOENT, f"is {kind}, not a file", str(path))


TEMPORARY = ".tmp"
"""Ending of the names of files while they are written."""


def user_cache() -> Path:
    """The user's own cache folder of this program."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "robustsweep"


def write_text(path: Path, text: str) -> None:
    """Write a text under a temporary name, then rename it.

    Raises:
        OSError: it cannot be written.
    """
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.stem}.", suffix=TEMPORARY, delete=False, encoding="utf-8") as file:
        temporary = Path(file.name)
        try:
            file.write(text)
            file.close()
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
