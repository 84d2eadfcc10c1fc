"""Code that this process runs: the installed package `workers`, told apart by a digest. Imports no torch."""

import hashlib
import socket
from functools import cache
from pathlib import Path
from typing import NamedTuple

from workers.errors import UserError

FOLDER = Path(__file__).parent


class CodeVersion(NamedTuple):
    """A version of the package: its digest, and the folder that it was read from."""

    digest: str
    place: str

    def __str__(self) -> str:
        return f"{self.digest[:12]} in {self.place}"


@cache
def code_here() -> CodeVersion:
    """Return the code of this process: SHA-256 over the names and the contents of the package's files."""
    found = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.py")):
        found.update(f"{path.relative_to(FOLDER).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return CodeVersion(found.hexdigest(), f"{FOLDER} on {socket.gethostname()}")


def require_code(planned: CodeVersion) -> None:
    """Check that this process runs the code that a job was planned with.

    Raises:
        UserError: it runs another; the message names both.
    """
    if (here := code_here()).digest != planned.digest:
        raise UserError(f"this worker's code ({here}) differs from the driver's ({planned}): install the same version, and launch again")
