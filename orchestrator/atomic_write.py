"""Files that are whole or not there."""

import os
from pathlib import Path

from workers.errors import UserError


def replace_file(path: Path, content: bytes) -> None:
    """Write to a temporary file next to `path`, then rename: a reader sees the old file or the new one, whole.

    Raises:
        OSError: it cannot be written there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write the file, and the folders that it is to lie in, as `replace_file` does.

    Raises:
        UserError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
