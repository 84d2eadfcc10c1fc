"""Where jobs leave their files: the one class that knows the paths. A file appears whole or not at all; `result.json` comes last."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from workers.errors import ArtifactError
from workers.results import RESULT, Result
from workers.specs import JOB, Job, TrainSpec

_RESULT, _JOB = "result.json", "job.json"
CHECKPOINT = "checkpoint"
"""A training's state: there until it has its result, and kept by one that was stopped at a rung."""
_TEMPORARY = ".tmp"
_KEY = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class JobFolder:
    """One job's artifact, as one attempt sees it; the attempt's id is part of every temporary name."""

    path: Path
    attempt: str

    def write(self, name: str, content: bytes) -> str:
        """Write a file atomically; returns the SHA-256 of its content."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self._temporary(name) as temporary:
            with temporary.open("wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
            temporary.replace(self.path / name)
        return hashlib.sha256(content).hexdigest()

    @contextmanager
    def _temporary(self, name: str) -> Iterator[Path]:
        temporary = self.path / f".{name}.{self.attempt}{_TEMPORARY}"
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def begin(self, job: Job) -> None:
        """Write `job.json`, and clear away what killed attempts left half written and a result that could not be read."""
        self.remove(_RESULT)
        self.write(_JOB, JOB.dump_json(job, indent=1))
        for leftover in self.path.glob(f".*{_TEMPORARY}"):
            leftover.unlink(missing_ok=True)

    def commit(self, result: Result) -> None:
        """Write `result.json`: from now on the job is done."""
        self.write(_RESULT, RESULT.dump_json(result, indent=1))


class Artifacts:
    """All artifacts below one root, by job key."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, key: str, *, attempt: str = "read") -> JobFolder:
        return JobFolder(self.root / key, attempt)

    def finished(self) -> frozenset[str]:
        """The keys of all jobs with a result."""
        if not self.root.is_dir():
            return frozenset()
        with os.scandir(self.root) as entries:
            return frozenset(entry.name for entry in entries if Path(entry.path, _RESULT).is_file())

    def all_keys(self) -> list[str]:
        """The keys of all jobs that left anything, finished or not, sorted."""
        if not self.root.is_dir():
            return []
        with os.scandir(self.root) as entries:
            return sorted(entry.name for entry in entries if _KEY.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False))

    def size(self, key: str) -> int:
        """How many bytes the job's files take."""
        return sum(path.stat().st_size for path in (self.root / key).rglob("*") if path.is_file())

    def checkpoint_size(self, key: str) -> int:
        """How many bytes the job's checkpoint takes; 0 where it has none."""
        path = self.root / key / CHECKPOINT
        return path.stat().st_size if path.is_file() else 0

    def drop_checkpoint(self, key: str) -> None:
        """Delete the checkpoint that a finished rung has kept; its result and its model stay."""
        self.folder(key).remove(CHECKPOINT)

    def discard(self, key: str) -> None:
        """Delete the job's files; the result goes first, so that a job is never done without its files."""
        folder = self.root / key
        (folder / _RESULT).unlink(missing_ok=True)
        shutil.rmtree(folder)

    def result(self, key: str) -> Result:
        """The result of a finished job.

        Raises:
            ArtifactError: there is none, or it cannot be read.
        """
        path = self.root / key / _RESULT
        try:
            result = RESULT.validate_json(path.read_bytes())
        except FileNotFoundError:
            raise ArtifactError(f"job {key}: no result in {path.parent}") from None
        except (OSError, ValidationError) as error:
            raise ArtifactError(f"job {key}: {path} is unreadable: {_first_line(error)}") from error
        if result.key != key:
            raise ArtifactError(f"job {key}: {path} holds the result of job {result.key}")
        return result

    def job(self, key: str) -> Job:
        """The job as its worker saw it.

        Raises:
            ArtifactError: there is none, or it cannot be read.
        """
        path = self.root / key / _JOB
        try:
            job = JOB.validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ArtifactError(f"job {key}: {path} is unreadable: {_first_line(error)}") from error
        if job.key != key:
            raise ArtifactError(f"job {key}: {path} holds job {job.key}")
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
        expected = self.result(key).files.get(name)
        path = self.root / key / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"job {key}: {path}: {_first_line(error)}") from error
        if hashlib.sha256(content).hexdigest() != expected:
            raise ArtifactError(
                f"job {key}: {path} is corrupt (its SHA-256 is not the recorded one); delete {path.parent} to compute it again"
            )
        return content


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
