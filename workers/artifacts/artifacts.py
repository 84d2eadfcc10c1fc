"""Where jobs leave their files: the one class that knows their names, in any storage (`workers.artifacts.storage.base`).

A job's folder holds `job.json`; while it is not done also what its attempts saved (`checkpoint`, `progress`) and `attempt`, the id of the
attempt that it was given to last. A file that is kept carries the first digits of its SHA-256 in its name
(`model.0123456789abcdef.safetensors`), so that two attempts whose bits differ write two files. `result.json` says which files are the
job's, and is written last, once: the first attempt that has everything makes the job done, and whoever comes later leaves it so.
"""

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from workers.artifacts.results import RESULT, Result
from workers.artifacts.storage import open_storage
from workers.artifacts.storage.base import TEMPORARY, Storage
from workers.errors import ArtifactError, StorageError, SupersededError
from workers.spec.job import JOB, Job, TrainSpec

RESULT_FILE, JOB_FILE = "result.json", "job.json"
CHECKPOINT = "checkpoint"
"""A training's state: there until it has its result, and kept by one that was stopped at a rung."""
PROGRESS = "progress"
_ATTEMPT = "attempt"
_CHECKSUM = "sha256"
_KEY = re.compile("[0-9a-f]{64}")
_DIGITS = 16
_KEPT = re.compile(rf".+\.[0-9a-f]{{{_DIGITS}}}(\.[^.]+)?")


class JobFolder:
    """One job's artifact, as one attempt sees it. Once it has begun, `save` is refused as soon as the job is another attempt's."""

    def __init__(self, storage: Storage, key: str, attempt: str) -> None:
        self._storage, self.key, self._attempt = storage, key, attempt
        self._begun = False

    def _path(self, name: str) -> str:
        return f"{self.key}/{name}"

    def begin(self, job: Job) -> None:
        """Make the job this attempt's: write `job.json`, and clear away what earlier attempts left half written and a damaged result.

        Raises:
            SupersededError: the job is done.
        """
        leftovers = [name for name in self._storage.files(self.key) if name.startswith(".") and name.endswith(TEMPORARY)]
        self._storage.write(self._path(_ATTEMPT), self._attempt.encode(), attempt=self._attempt)
        self._begun = True
        # Only what was there before: an attempt that begins from now on, if this one is frozen here, shall keep its own.
        for name in leftovers:
            self._storage.remove(self._path(name))
        self._remove_damaged_result()
        self._storage.write(self._path(JOB_FILE), JOB.dump_json(job, indent=1), attempt=self._attempt)

    def _remove_damaged_result(self) -> None:
        try:
            _read_result(self._storage, self.key)
        except StorageError:
            raise
        except ArtifactError:
            self._storage.remove(self._path(RESULT_FILE))
        else:
            raise SupersededError(f"job {self.key}: it is done already")

    def _require_current(self) -> None:
        if self._begun and self._current() != self._attempt:
            raise SupersededError(f"job {self.key}: it was given to another attempt, or is done")

    def _current(self) -> str | None:
        try:
            return self._storage.read(self._path(_ATTEMPT)).decode(errors="replace")
        except FileNotFoundError:
            return None

    def save(self, name: str, content: bytes) -> None:
        """Write a file that belongs to the unfinished job, whichever attempt works on it; it replaces what was saved before.

        Raises:
            SupersededError: the job is another attempt's now, or done.
        """
        self._storage.write(self._path(name), content, attempt=self._attempt, check=self._require_current)
        try:
            self._require_current()
        except SupersededError:  # it was frozen in between
            if RESULT_FILE in self._storage.files(self.key):
                self.remove(name)
            raise

    def saved(self, name: str) -> bytes | None:
        """What was saved last under this name, by this attempt or an earlier one; None if nothing was."""
        try:
            return self._storage.read(self._path(name))
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Remove what was saved under this name."""
        self._storage.remove(self._path(name))

    def write(self, name: str, content: bytes) -> str:
        """Write a file to be kept, under a name that no other content has; returns the content's SHA-256."""
        digest = hashlib.sha256(content).hexdigest()
        self._storage.write(self._path(stored_name(name, digest)), content, attempt=self._attempt)
        return digest

    def commit(self, result: Result) -> Result:
        """Write `result.json`: from now on the job is done. Returns its result: another attempt's where that one was first."""
        content = _dump_result(result)
        if not self._storage.create(self._path(RESULT_FILE), content, attempt=self._attempt):
            with suppress(SupersededError):
                self._remove_damaged_result()
                self._storage.create(self._path(RESULT_FILE), content, attempt=self._attempt)
        first = _read_result(self._storage, self.key)
        self.tidy(first)
        return first

    def tidy(self, result: Result) -> None:
        """Remove what attempts at the done job left: what is half written, and kept files that the result does not name."""
        named = {stored_name(name, digest) for name, digest in result.files.items()}
        for name in self._storage.files(self.key):
            is_temporary = name.startswith(".") and name.endswith(TEMPORARY)
            if name == _ATTEMPT or is_temporary or (_KEPT.fullmatch(name) and name not in named):
                self.remove(name)


class Artifacts:
    """All artifacts below one root, by job key.

    Args:
        root: a folder, or any URL of fsspec.

    Raises:
        UserError: there is no such kind of storage, or its package is missing.
    """

    def __init__(self, root: str | Path) -> None:
        self._storage = open_storage(root)

    @property
    def url(self) -> str:
        """What `Artifacts` takes to find the same place, in another process too."""
        return self._storage.where()

    def where(self, key: str, name: str = "") -> str:
        """The path or URL of a job's folder, or of a file there."""
        return self._storage.where(f"{key}/{name}" if name else key)

    def folder(self, key: str, *, attempt: str = "read") -> JobFolder:
        """The job's folder for one attempt, whose id is like no other's."""
        return JobFolder(self._storage, key, attempt)

    def files(self, key: str) -> dict[str, int]:
        """The names of the job's files, half-written ones excepted, and their sizes in bytes."""
        return {name: size for name, size in self._storage.files(key).items() if not name.startswith(".")}

    def finished(self) -> frozenset[str]:
        """The keys of all jobs with a result."""
        return self._storage.folders(having=RESULT_FILE)

    def all_keys(self) -> list[str]:
        """The keys of all jobs that left anything, finished or not, sorted."""
        return sorted(filter(_KEY.fullmatch, self._storage.folders()))

    def size(self, key: str) -> int:
        """How many bytes the job's files take."""
        return sum(self._storage.files(key).values())

    def checkpoint_size(self, key: str) -> int:
        """How many bytes the job's checkpoint takes; 0 where it has none."""
        return self._storage.files(key).get(CHECKPOINT, 0)

    def drop_checkpoint(self, key: str) -> None:
        """Delete the checkpoint that a finished rung has kept; its result and its model stay."""
        self.folder(key).remove(CHECKPOINT)

    def tidy(self, job: Job) -> None:
        """Remove what the attempts at a done job left, where the last one died before it could do so.

        Raises:
            ArtifactError: the job is not done.
        """
        folder = self.folder(job.key)
        folder.tidy(self.result(job.key))
        folder.remove(PROGRESS)
        if not (isinstance(job.spec, TrainSpec) and job.spec.is_rung):
            folder.remove(CHECKPOINT)

    def discard(self, key: str) -> None:
        """Delete the job's files; the result goes first, so that a job is never done without its files."""
        self._storage.remove(f"{key}/{RESULT_FILE}")
        self._storage.remove_folder(key)

    def result(self, key: str) -> Result:
        """The result of a finished job.

        Raises:
            ArtifactError: there is none, or it is damaged.
        """
        return _read_result(self._storage, key)

    def job(self, key: str) -> Job:
        """The job as its worker saw it.

        Raises:
            ArtifactError: there is none, or it is damaged.
        """
        where = self.where(key, JOB_FILE)
        try:
            job = JOB.validate_json(self._storage.read(f"{key}/{JOB_FILE}"))
        except (FileNotFoundError, ValidationError) as error:
            raise ArtifactError(f"job {key}: {where} is unreadable: {_first_line(error)}", key=key) from error
        if job.key != key:
            raise ArtifactError(f"job {key}: {where} holds job {job.key}", key=key)
        return job

    def model(self, key: str) -> TrainSpec:
        """How a model was trained, by its job key.

        Raises:
            ArtifactError: there is no such job, or it is one of a stage that leaves no model.
        """
        spec = self.job(key).spec
        if not isinstance(spec, TrainSpec):
            raise ArtifactError(f"job {key}: a {spec.stage} job has no model")
        return spec

    def read(self, key: str, name: str) -> bytes:
        """A file of a finished job, checked against the SHA-256 in its result.

        Raises:
            ArtifactError: the job has no such file, or its content has changed.
        """
        digest = self.result(key).files.get(name)
        if digest is None:
            raise ArtifactError(f"job {key}: its result names no {name}", key=key)
        stored = stored_name(name, digest)
        try:
            content = self._storage.read(f"{key}/{stored}")
        except FileNotFoundError:
            raise ArtifactError(f"job {key}: {self.where(key, stored)} is missing", key=key) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise ArtifactError(f"job {key}: {self.where(key, stored)} is corrupt: its SHA-256 is not the recorded one", key=key)
        return content

    def damage(self, key: str) -> str | None:
        """What is wrong with a finished job's files, in one line; None where every one of them is what it was.

        Raises:
            StorageError: that cannot be found out now.
        """
        try:
            self.job(key)
            for name in self.result(key).files:
                self.read(key, name)
        except StorageError:
            raise
        except ArtifactError as error:
            return str(error)
        return None


def stored_name(name: str, digest: str) -> str:
    """The name under which a kept file is stored: with the first digits of its content's SHA-256."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}.{digest[:_DIGITS]}.{ending}" if dot else f"{name}.{digest[:_DIGITS]}"


def _dump_result(result: Result) -> bytes:
    """The result as JSON, with a SHA-256 over all the rest."""
    fields = json.loads(RESULT.dump_json(result))
    return json.dumps({_CHECKSUM: _checksum(fields), **fields}, indent=1).encode()


def _checksum(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read_result(storage: Storage, key: str) -> Result:
    where = storage.where(f"{key}/{RESULT_FILE}")
    try:
        fields = json.loads(storage.read(f"{key}/{RESULT_FILE}"))
        checksum = fields.pop(_CHECKSUM, None)
        result = RESULT.validate_json(json.dumps(fields))
    except FileNotFoundError:
        raise ArtifactError(f"job {key}: no result in {storage.where(key)}", key=key) from None
    except (ValueError, AttributeError, TypeError) as error:  # it is no JSON, no result (pydantic says ValueError), or no object
        raise ArtifactError(f"job {key}: {where} is unreadable: {_first_line(error)}", key=key) from error
    if checksum != _checksum(fields):
        raise ArtifactError(f"job {key}: {where} is corrupt: its SHA-256 is not the recorded one", key=key)
    if result.key != key:
        raise ArtifactError(f"job {key}: {where} holds the result of job {result.key}", key=key)
    return result


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
