"""Temporary folder that this user alone can enter; one that a killed process leaves behind is removed by the next process."""

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.errors import UserError

_PREFIX = "robustsweep-tmp-"
_NAME = re.compile(_PREFIX + "[a-z0-9_]{8}")
_LONGEST = 12
"""Bytes of a parent's path. A socket's path has 103 on some systems, and Ray's name for one in our folder takes 91."""
_YOUNG_SECONDS = 60.0  # the process that made it may not have locked it yet


@contextmanager
def temp_folder() -> Iterator[Path]:
    """Make a temporary folder and remove it at the end; remove those of dead processes first."""
    parent = _parent()
    _remove_abandoned(parent)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True) as name, _locked(Path(name)):
        yield Path(name)


def _parent() -> Path:
    """Return the user's folder of temporary files, or another one where the paths of sockets would be too long there.

    Raises:
        UserError: there is none.
    """
    candidates = [Path(folder) for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")]  # noqa: S108 (0700 inside)
    for parent in candidates:
        if len(os.fsencode(parent)) <= _LONGEST and os.access(parent, os.W_OK | os.X_OK):
            return parent
    raise UserError(
        f"TMPDIR {candidates[0]}: its path must have at most {_LONGEST} bytes, for Ray's sockets; nor can {candidates[1]} be written"
    )


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            if _NAME.fullmatch(folder.name) and time.time() - folder.stat().st_mtime > _YOUNG_SECONDS:
                with _locked(folder):
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # its process is alive, or it is another user's
            continue


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder inside the context; the lock is released when the process ends, in any way.

    Raises:
        OSError: another process holds the lock.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)
