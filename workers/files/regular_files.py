"""Files that are files: to open a pipe waits for a writer, a device may never end, and is not to be replaced."""

import errno
import stat
from io import BufferedReader
from pathlib import Path

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
