"""Digest of the files of a data set, part of the keys of the jobs that use it. A file is read again when its size or time has changed."""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from workers.data.loading.array_cache import cache_folder
from workers.errors import DataError, os_reason
from workers.files import open_regular, write_text

_YOUNG = 2 * 10**9  # ns: a file that was written just now may be written again within its time's resolution
Known = Mapping[str, tuple[int, int, str]]
"""By file name: size, modification time in ns, SHA-256."""


def files_digest(root: Path, files: Iterable[str], *, name: str) -> str:
    """Return the SHA-256 over the names, relative to `root`, and the contents of files, 64 hex digits.

    Each file's own SHA-256 is kept, with its size and modification time, in the data root's cache.

    Args:
        root: the data root.
        files: paths relative to it.
        name: of the data set.

    Raises:
        DataError: a file cannot be read.
    """
    place = cache_folder(root) / f"digests-{hashlib.sha256(f'{root}/{name}'.encode()).hexdigest()[:16]}.json"
    known = _read(place)
    found = {file: _known_or_read(root, file, known.get(file)) for file in sorted(files)}
    if found != known:
        _write(place, found)
    lines = "".join(f"{file}\0{digest}\n" for file, (_, _, digest) in found.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def _known_or_read(root: Path, file: str, known: tuple[int, int, str] | None) -> tuple[int, int, str]:
    path = root / file
    try:
        stat = path.stat()
        if known is not None and known[:2] == (stat.st_size, stat.st_mtime_ns):
            return known
        now = time.time_ns()
        with open_regular(path) as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: {os_reason(error)}") from error
    return stat.st_size, stat.st_mtime_ns if now - stat.st_mtime_ns > _YOUNG else 0, digest


def _read(place: Path) -> dict[str, tuple[int, int, str]]:
    try:
        return {file: (size, changed, digest) for file, (size, changed, digest) in json.loads(place.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write(place: Path, known: Known) -> None:
    """Keep the digests; where they cannot be kept, files are read again next time."""
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_text(place, json.dumps(known))
