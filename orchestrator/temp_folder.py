"""Temporary folders that this user alone can enter, in a place whose path is short enough for sockets."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.errors import UserError
from workers.files import folder_until_the_end

_PREFIX = "robustsweep-tmp-"
_LONGEST = 12
"""Bytes of a parent's path. A socket's path has 103 on some systems, and Ray's name for one in our folder takes 91."""


@contextmanager
def temp_folder(parent: Path | None = None, *, prefix: str = _PREFIX) -> Iterator[Path]:
    """Make a temporary folder and remove it at the end; remove those of dead processes first. Without a parent, the folder is where the
    user wants temporary files, or, where the paths of sockets would be too long there, elsewhere.

    Raises:
        UserError: there is no such place.
    """
    with folder_until_the_end(parent or _short_parent(), prefix=prefix) as made:
        yield made


def _short_parent() -> Path:
    candidates = [Path(folder) for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")]  # noqa: S108 (0700 inside)
    for parent in candidates:
        if len(os.fsencode(parent)) <= _LONGEST and os.access(parent, os.W_OK | os.X_OK):
            return parent
    raise UserError(
        f"TMPDIR {candidates[0]}: its path must have at most {_LONGEST} bytes, for Ray's sockets; nor can {candidates[1]} be written"
    )
