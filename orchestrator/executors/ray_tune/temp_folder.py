"""Temporary folder; one that a killed process leaves behind is removed by the next process."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "robustsweep-scratch-"
_YOUNG_SECONDS = 60.0  # the process that made it may not have locked it yet


@contextmanager
def temp_folder() -> Iterator[Path]:
    """Make a temporary folder and remove it at the end; remove those of dead processes first."""
    _remove_abandoned(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _locked(Path(name)):
        yield Path(name)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime > _YOUNG_SECONDS:
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
