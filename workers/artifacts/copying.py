"""Copies of finished jobs' files in another place, each file compared with its checksum on the way."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from workers.artifacts.artifacts import CHECKPOINT, Artifacts
from workers.errors import ArtifactError, StorageError


@dataclass
class Copied:
    """Outcome of copying: numbers of jobs whose files are new there, and were there before; errors of those that cannot be read."""

    new: int = 0
    known: int = 0
    lost: list[ArtifactError] = field(default_factory=list)


def copy_jobs(source: Artifacts, target: Artifacts, keys: Iterable[str]) -> Copied:
    """Copy the files of finished jobs, and the adopted weights that they name. Jobs that `target` has undamaged are left as they are.

    Raises:
        StorageError: a place cannot be read or written.
    """
    copied = Copied()
    for key in keys:
        try:
            if _copy(source, target, key):
                copied.new += 1
            else:
                copied.known += 1
        except StorageError:
            raise
        except ArtifactError as error:
            copied.lost.append(error)
    return copied


def _copy(source: Artifacts, target: Artifacts, key: str) -> bool:
    """Copy a job's files; return False where `target` has them.

    Raises:
        ArtifactError: they are missing or damaged.
    """
    if key in target.finished([key]):
        if target.damage(key) is None:
            return False
        target.discard(key)
    job, result = source.job(key), source.result(key)
    files = {name: source.read(key, name) for name in result.files}
    if (digest := job.digests.get("weights")) is not None and not target.has_weights(digest):
        target.add_weights(digest, source.weights(digest))
    folder = target.folder(key, attempt=f"copy-{secrets.token_hex(8)}")
    folder.begin(job)
    for name, content in files.items():
        folder.write(name, content)
    if (state := source.folder(key).saved(CHECKPOINT)) is not None:  # of a training that was stopped at a rung
        folder.save(CHECKPOINT, state)
    folder.commit(result)
    return True
