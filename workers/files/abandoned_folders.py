"""Temporary folders; those that killed processes leave behind are removed by the next process of their kind."""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
