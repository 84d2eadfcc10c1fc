"""Temporary folders that this user alone can enter; those that killed processes leave behind are removed by the next process."""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workers.errors import UserError

_PREFIX = "robustsweep-tmp-"
_RANDOM = "[a-z0-9_]{8}"
_LONGEST = 12
"""Bytes of a parent's path. A socket's path has 103 on some systems, and Ray's name for one in our folder takes 91."""
TO_KEEP = "old"
"""Name, in a temporary folder, of what must survive a killed process."""


@contextmanager
def temp_folder(parent: Path | None = None, *, prefix: str = _PREFIX) -> Iterator[Path]:
    """Make a temporary folder and remove it at the end; remove those of dead processes first. Without a parent, the folder is where the
    user wants temporary files, or, where the paths of sockets would be too long there, elsewhere.

    Raises:
        UserError: there is no such place.
    """
    parent = parent or _short_parent()
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


def _short_parent() -> Path:
    candidates = [Path(folder) for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")]  # noqa: S108 (0700 inside)
    for parent in candidates:
        if len(os.fsencode(parent)) <= _LONGEST and os.access(parent, os.W_OK | os.X_OK):
            return parent
    raise UserError(
        f"TMPDIR {candidates[0]}: its path must have at most {_LONGEST} bytes, for Ray's sockets; nor can {candidates[1]} be written"
    )


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
