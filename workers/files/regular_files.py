"""Reading of files that are files: to open a pipe waits for a writer, and a device may never end."""

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
    _require_regular(path)
    return path.open("rb")


def read_regular(path: Path) -> bytes:
    """Return a file's content; see `open_regular`."""
    _require_regular(path)
    return path.read_bytes()


def _require_regular(path: Path) -> None:
    if (kind := _KINDS.get(stat.S_IFMT(path.stat().st_mode))) is not None:
        raise FileNotFoundError(errno.ENOENT, f"is {kind}, not a file", str(path))
