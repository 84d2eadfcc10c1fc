"""The user's own cache folder, and texts in it, each of which appears whole or not at all. Any file in it may be deleted at any time."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

TEMPORARY = ".tmp"
"""What the names of files end with while they are written."""


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
