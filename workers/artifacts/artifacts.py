"""Files of jobs: the only class that defines their names, in any storage (`workers.artifacts.storage.base`).

A job's folder holds `job.json`; until it is done also the files that its attempts saved (`checkpoint`, `progress`) and `attempt`, the id
of the attempt to which it was assigned last. The name of a kept file includes the first digits of its SHA-256
(`model.0123456789abcdef.safetensors`), so that two attempts whose bits differ write two files. `result.json` names the job's files, and is
written last, once: the first attempt that has written everything makes the job done, and later ones do not change it.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from workers.artifacts.outcomes import RESULT, Result
from workers.artifacts.storage import open_storage
from workers.artifacts.storage.base import TEMPORARY, Storage
from workers.errors import ArtifactError, PluginNeededError, StorageError, SupersededError, first_line
from workers.plugins import job_from_json, require_known
from workers.spec.component import STORED
from workers.spec.job import JOB, Job
from workers.spec.keys import KEY_VERSION
from workers.spec.stage_specs import TrainSpec

RESULT_FILE, JOB_FILE = "result.json", "job.json"
CHECKPOINT = "checkpoint"
"""State of a training: removed once it has its result, except after a training that was stopped at a rung."""
PROGRESS = "progress"
_ATTEMPT = "attempt"
_OWNERS = ".databases"
_WEIGHTS = ".weights"
MODEL_FILE = "model.safetensors"
"""File of a trained model's weights."""
KEPT_FILE = "kept.safetensors"
"""File of the examples that an attack keeps to be looked at (see `workers.measure.kept_examples`)."""
_CHECKSUM = "sha256"
_KEY = re.compile("[0-9a-f]{64}")
_KEPT_WEIGHTS = re.compile(r"[0-9a-f]{64}\.safetensors")
_DIGITS = 16
_NAME = re.compile(r"(?!\.\.?$)[^/\\\0]*")
_KEPT = re.compile(rf".+\.[0-9a-f]{{{_DIGITS}}}(\.[^.]+)?")


class JobFolder:
    """One job's artifact, for one attempt. After `begin`, `save` is refused as soon as the job belongs to another attempt."""

    def __init__(self, storage: Storage, key: str, attempt: str) -> None:
        self._storage, self.key, self.attempt = storage, _place(key), attempt
        self._begun = False

    def _path(self, name: str) -> str:
        return _place(self.key, name)

    def begin(self, job: Job) -> None:
        """Assign the job to this attempt: write `job.json`, and remove half-written files of earlier attempts and a damaged result.

        Raises:
            SupersededError: the job is done.
        """
        leftovers = [name for name in self._storage.files(self.key) if name.startswith(".") and name.endswith(TEMPORARY)]
        self._storage.write(self._path(_ATTEMPT), self.attempt.encode(), attempt=self.attempt)
        self._begun = True
        # Only earlier files: if this process is suspended here, an attempt that begins meanwhile must keep its own.
        for name in leftovers:
            self._storage.remove(self._path(name))
        try:
            self._remove_damaged_result()
        except SupersededError:
            self.remove(_ATTEMPT)
            raise
        self._storage.write(self._path(JOB_FILE), JOB.dump_json(job, indent=1), attempt=self.attempt)

    def _remove_damaged_result(self) -> None:
        try:
            _read_result(self._storage, self.key)
        except StorageError:
            raise
        except ArtifactError:
            self._storage.remove(self._path(RESULT_FILE))
        else:
            raise SupersededError(f"job {self.key}: done already")

    def _require_current(self) -> None:
        if self._begun and self._current() != self.attempt:
            raise SupersededError(f"job {self.key}: assigned to another attempt, or done")

    def _current(self) -> str | None:
        try:
            return self._storage.read(self._path(_ATTEMPT)).decode(errors="replace")
        except FileNotFoundError:
            return None

    def save(self, name: str, content: bytes) -> None:
        """Write a file of the unfinished job, shared by all its attempts; it replaces the one saved before.

        Raises:
            SupersededError: the job now belongs to another attempt, or is done.
        """
        self._storage.write(self._path(name), content, attempt=self.attempt, check=self._require_current)
        try:
            self._require_current()
        except SupersededError:  # the process was suspended in between
            if RESULT_FILE in self._storage.files(self.key):
                self.remove(name)
            raise

    def saved(self, name: str) -> bytes | None:
        """Return the content saved last under this name, by this attempt or an earlier one; None if there is none."""
        try:
            return self._storage.read(self._path(name))
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Remove the file saved under this name."""
        self._storage.remove(self._path(name))

    def write(self, name: str, content: bytes) -> str:
        """Write a file to be kept, under a name that no other content has, and return the content's SHA-256."""
        digest = hashlib.sha256(content).hexdigest()
        self._storage.write(self._path(stored_name(name, digest)), content, attempt=self.attempt)
        return digest

    def commit(self, result: Result) -> Result:
        """Write `result.json`, which makes the job done, and return its result: another attempt's where that one was first."""
        content = _dump_result(result)
        if not self._storage.create(self._path(RESULT_FILE), content, attempt=self.attempt):
            with suppress(SupersededError):
                self._remove_damaged_result()
                self._storage.create(self._path(RESULT_FILE), content, attempt=self.attempt)
        first = _read_result(self._storage, self.key)
        self.tidy(first)
        return first

    def tidy(self, result: Result, *, saved: Set[str] = frozenset()) -> None:
        """Remove leftovers of the done job's attempts: half-written files, those of `saved`, kept ones that the result does not name."""
        named = {stored_name(name, digest) for name, digest in result.files.items()}
        for name in self._storage.files(self.key):
            is_temporary = name.startswith(".") and name.endswith(TEMPORARY)
            if name in {_ATTEMPT, *saved} or is_temporary or (_KEPT.fullmatch(name) and name not in named):
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
        """The argument with which `Artifacts` opens the same place, in another process too."""
        return self._storage.where()

    def where(self, key: str, name: str = "") -> str:
        """Return the path or URL of a job's folder, or of a file there."""
        return self._storage.where(_place(key, name))

    def folder(self, key: str, *, attempt: str = "read") -> JobFolder:
        """Return the job's folder for one attempt, whose id is unique."""
        return JobFolder(self._storage, key, attempt)

    def files(self, key: str) -> dict[str, int]:
        """Return the names of the job's files, except half-written ones, and their sizes in bytes."""
        return {name: size for name, size in self._storage.files(_place(key)).items() if not name.startswith(".")}

    def finished(self, among: Collection[str] | None = None) -> frozenset[str]:
        """Return the keys of all jobs with a result, or of those of them that are `among` these."""
        return self._storage.folders(having=RESULT_FILE, among=among)

    def all_keys(self) -> list[str]:
        """Return the keys of all jobs with any files, finished or not, sorted."""
        return sorted(filter(_KEY.fullmatch, self._storage.folders()))

    def add_owner(self, name: str, content: bytes) -> None:
        """Leave a marker of a database whose jobs have their files here; it replaces the one of that name."""
        self._storage.write(f"{_OWNERS}/{name}", content, attempt=name)

    def owners(self) -> dict[str, bytes]:
        """Return the markers of databases by name."""
        return {name: self._storage.read(f"{_OWNERS}/{name}") for name in self._storage.files(_OWNERS) if _KEY.fullmatch(name)}

    def has_weights(self, digest: str) -> bool:
        """Tell whether there is a copy of adopted weights of this digest."""
        return f"{digest}.safetensors" in self._storage.files(_WEIGHTS)

    def add_weights(self, digest: str, content: bytes) -> None:
        """Keep a copy of adopted weights, a safetensors file, under the digest of its tensors."""
        self._storage.write(f"{_WEIGHTS}/{_place(digest)}.safetensors", content, attempt=digest)

    def all_weights(self) -> dict[str, int]:
        """Return the digests of all copies of adopted weights, and their sizes in bytes."""
        files = self._storage.files(_WEIGHTS)
        return {name.partition(".")[0]: size for name, size in sorted(files.items()) if _KEPT_WEIGHTS.fullmatch(name)}

    def drop_weights(self, digest: str) -> None:
        """Delete a copy of adopted weights."""
        self._storage.remove(f"{_WEIGHTS}/{_place(digest)}.safetensors")

    def weights(self, digest: str) -> bytes:
        """Return the copy of adopted weights of this digest.

        Raises:
            ArtifactError: there is none.
        """
        try:
            return self._storage.read(f"{_WEIGHTS}/{_place(digest)}.safetensors")
        except FileNotFoundError:
            raise ArtifactError(f"weights {digest[:12]}: no copy in {self._storage.where(_WEIGHTS)}; launch the sweep again") from None

    def size(self, key: str) -> int:
        """Return the total size of the job's files in bytes."""
        return sum(self._storage.files(_place(key)).values())

    def checkpoint_size(self, key: str) -> int:
        """Return the size of the job's checkpoint in bytes; 0 where it has none."""
        return self._storage.files(_place(key)).get(CHECKPOINT, 0)

    def drop_checkpoint(self, key: str) -> None:
        """Delete the checkpoint that a finished rung has kept; its result and its model stay."""
        self.folder(key).remove(CHECKPOINT)

    def tidy(self, job: Job) -> Result:
        """Remove leftovers of a done job's attempts, where the last one ended before it could do so; return its result.

        Raises:
            ArtifactError: the job is not done.
        """
        result = self.result(job.key)
        kept = (CHECKPOINT,) if isinstance(job.spec, TrainSpec) and job.spec.is_rung else ()
        self.folder(job.key).tidy(result, saved={PROGRESS, CHECKPOINT}.difference(kept))
        return result

    def discard(self, key: str) -> None:
        """Delete the job's files; the result goes first, so that a job is never done without its files."""
        self._storage.remove(_place(key, RESULT_FILE))
        self._storage.remove_folder(_place(key))

    def result(self, key: str) -> Result:
        """Return the result of a finished job.

        Raises:
            ArtifactError: there is none, or it is damaged.
        """
        return _read_result(self._storage, key)

    def job(self, key: str) -> Job:
        """Return the job as its worker received it.

        Raises:
            ArtifactError: there is none, or it is damaged.
            PluginNeededError: its key cannot be checked, for want of a plugin.
        """
        where = self.where(key, JOB_FILE)
        try:
            job = job_from_json(self._storage.read(_place(key, JOB_FILE)), stored=True)
        except (FileNotFoundError, ValidationError) as error:
            raise ArtifactError(f"job {key}: {where} is unreadable: {first_line(error)}", key=key) from error
        if job.key_version == KEY_VERSION and job.key != key:
            require_known(job, key)
            raise ArtifactError(f"job {key}: {where} holds job {job.key}", key=key)
        return job

    def model(self, key: str) -> TrainSpec:
        """Return the training spec of a model, by its job key.

        Raises:
            ArtifactError: there is no such job, or it is one of a stage that leaves no model.
        """
        spec = self.job(key).spec
        if not isinstance(spec, TrainSpec):
            raise ArtifactError(f"job {key}: a {spec.stage} job has no model")
        return spec

    def read(self, key: str, name: str) -> bytes:
        """Return a file of a finished job, checked against the SHA-256 in its result.

        Raises:
            ArtifactError: the job has no such file, or its content has changed.
        """
        digest = self.result(key).files.get(name)
        if digest is None:
            raise ArtifactError(f"job {key}: its result names no {name}", key=key)
        stored = stored_name(name, digest)
        try:
            content = self._storage.read(_place(key, stored))
        except FileNotFoundError:
            raise ArtifactError(f"job {key}: {self.where(key, stored)} is missing", key=key) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise ArtifactError(f"job {key}: {self.where(key, stored)} is corrupt: its SHA-256 is not the recorded one", key=key)
        return content

    def damage(self, key: str) -> str | None:
        """Describe the damage to a finished job's files, in one line; None where all are unchanged.

        Raises:
            StorageError: the files cannot be checked now.
        """
        try:
            with suppress(PluginNeededError):
                self.job(key)
            for name in self.result(key).files:
                self.read(key, name)
        except StorageError:
            raise
        except ArtifactError as error:
            return str(error)
        return None


def _place(key: str, name: str = "") -> str:
    """Return the path of a job's folder below the root, or of a file in it.

    Raises:
        StorageError: the key or the name, which a database or a damaged result may have given, leads elsewhere.
    """
    if not key or not _NAME.fullmatch(key) or not _NAME.fullmatch(name):
        raise StorageError(f"artifact {key}{name and '/'}{name}: must be a job's key and a file's name, neither of them a path")
    return f"{key}/{name}" if name else key


def stored_name(name: str, digest: str) -> str:
    """Return the name under which a kept file is stored: with the first digits of its content's SHA-256."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}.{digest[:_DIGITS]}.{ending}" if dot else f"{name}.{digest[:_DIGITS]}"


def _dump_result(result: Result) -> bytes:
    """Return the result as JSON, with a SHA-256 over all the rest."""
    fields = json.loads(RESULT.dump_json(result))
    return json.dumps({_CHECKSUM: checksum(fields), **fields}, indent=1).encode()


def checksum(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data, of its canonical JSON."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read_result(storage: Storage, key: str) -> Result:
    where = storage.where(_place(key, RESULT_FILE))
    try:
        fields = json.loads(storage.read(_place(key, RESULT_FILE)))
        recorded = fields.pop(_CHECKSUM, None)
        result = RESULT.validate_json(json.dumps(fields), context=STORED)
    except FileNotFoundError:
        raise ArtifactError(f"job {key}: no result in {storage.where(key)}", key=key) from None
    except (ValueError, AttributeError, TypeError, RecursionError) as error:  # no JSON, no result (pydantic: ValueError), or no object
        raise ArtifactError(f"job {key}: {where} is unreadable: {first_line(error)}", key=key) from error
    if recorded != checksum(fields):
        raise ArtifactError(f"job {key}: {where} is corrupt: its SHA-256 is not the recorded one", key=key)
    if result.key != key:
        raise ArtifactError(f"job {key}: {where} holds the result of job {result.key}", key=key)
    return result
