"""Checks that the artifact store can be written, and is the same for all machines."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.launching.doctor.disk import local_folder
from orchestrator.launching.doctor.results_of_checks import CheckResult
from workers.artifacts.storage import open_storage
from workers.artifacts.storage.base import Storage
from workers.errors import StorageError

ADVICE = "check the path or URL, its permissions and credentials (--artifacts)"


@dataclass(frozen=True)
class MarkerFile:
    """A small file that the driver has left in the store, for the nodes to find."""

    path: str
    content: bytes


@contextmanager
def marker_file(url: str) -> Iterator[MarkerFile]:
    """Keep a mark in the store while the context is open; afterwards the store is as it was, after an error too.

    Raises:
        UserError: there is no such kind of store, or it cannot be written.
    """
    storage = open_storage(url)
    # The name is unlike that of a job's folder, so that no other command mistakes it for one.
    folder = f"doctor-{secrets.token_hex(8)}"
    mark = MarkerFile(f"{folder}/mark", secrets.token_bytes(16))
    with _unmade(local_folder(url)):
        try:
            _leave(storage, mark)
            yield mark
        finally:
            with suppress(StorageError):
                storage.remove_folder(folder)


def _leave(storage: Storage, mark: MarkerFile) -> None:
    try:
        storage.write(mark.path, mark.content, attempt="doctor")
    except StorageError as error:  # without the mark's random name, so that nodes with the same problem give the same message
        raise StorageError(str(error).replace(f"/{mark.path}", "")) from error


@contextmanager
def _unmade(folder: Path | None) -> Iterator[None]:
    """Remove afterwards the folders that were made in the context, unless they are in use."""
    new = [path for path in (folder, *folder.parents) if not path.exists()] if folder else []
    try:
        yield
    finally:
        with suppress(OSError):
            for path in new:
                path.rmdir()


def check_artifacts(url: str) -> list[CheckResult]:
    """Write, read back and remove a small file."""
    with marker_file(url) as mark:
        if open_storage(url).read(mark.path) != mark.content:
            return [CheckResult("wrong", "artifacts", f"{url}: what is read is not what was written", "use another store")]
    if url.startswith("memory://"):
        return [
            CheckResult("warning", "artifacts", f"{url}: no other process sees these", "launch with --executor inline, or another store")
        ]
    return [CheckResult("ok", "artifacts", f"written, read and removed in {url}")]


def check_shared(url: str, mark: MarkerFile) -> list[CheckResult]:
    """Check that the driver's mark is found here: a folder of the same name may be another one on each machine."""
    advice = "mount the same folder on all nodes at this path, or give a URL (--artifacts s3://BUCKET/PREFIX)"
    try:
        found = open_storage(url).read(mark.path)
    except FileNotFoundError:
        return [CheckResult("wrong", "artifacts", f"{url} is a different place there: what the driver wrote is not in it", advice)]
    if found != mark.content:
        return [CheckResult("wrong", "artifacts", f"{url}: what is read there is not what the driver wrote", advice)]
    return check_artifacts(url)
