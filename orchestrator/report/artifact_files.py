"""Files of one job, and the command that runs it alone."""

import shlex
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.paths import Paths
from orchestrator.store.reading.job_details import JobDetails
from orchestrator.terminal import hints
from workers.artifacts.artifacts import JOB_FILE, RESULT_FILE, Artifacts, stored_name
from workers.errors import ArtifactError
from workers.registry import DATASETS


@dataclass(frozen=True)
class ArtifactFile:
    """File that a job has, or should have; `size` in bytes is None where it is missing."""

    name: str
    size: int | None


@dataclass(frozen=True)
class ArtifactListing:
    """Folder of a job's artifact, with the files that are in it or that its result names, sorted."""

    folder: str
    files: tuple[ArtifactFile, ...]

    def has(self, name: str) -> bool:
        return any(file.name == name and file.size is not None for file in self.files)


def artifact_files(artifacts: Artifacts, key: str, *, expected: Iterable[str] = ()) -> ArtifactListing:
    """List the files in the job's folder, without temporary ones, and the missing ones of `expected` and of those that its result names."""
    named = set(expected)
    with suppress(ArtifactError):
        named |= {stored_name(name, digest) for name, digest in artifacts.result(key).files.items()}
    sizes = artifacts.files(key)
    return ArtifactListing(artifacts.where(key), tuple(ArtifactFile(name, sizes.get(name)) for name in sorted(named | set(sizes))))


def artifact_of(job: JobDetails, artifacts: Artifacts) -> ArtifactListing:
    """List the files of a job; one that is done must have at least its job file and its result file."""
    return artifact_files(artifacts, job.key, expected=() if job.result is None else (JOB_FILE, RESULT_FILE))


@dataclass(frozen=True)
class Rerun:
    """Shell lines that run one job alone: `command`, and the lines to run before it, some of them comments."""

    before: tuple[str, ...]
    command: str


def rerun(job: JobDetails, paths: Paths) -> Rerun:
    """Return the command that computes the job again on the same device, CPU or GPU, and with the same number of threads."""
    artifacts = paths.artifacts
    here = artifact_of(job, artifacts)
    needs_data = (data := DATASETS.find(job.dataset)) is None or bool(data.facts.folder)
    before = [*_missing(job, here, paths)]
    if needs_data and paths.data_root is None:
        before.append(f"# add --data DIR: where {job.dataset} is")
    words = ["python", "-m", "workers", _job_file(job, here), "--artifacts", artifacts.url]
    words += ["--data", str(paths.data_root)] if needs_data and paths.data_root is not None else []
    return Rerun(tuple(before), shlex.join([*words, *_machine(job)]))


def _machine(job: JobDetails) -> Iterator[str]:
    if job.result is not None and job.result.device.startswith("cuda"):
        yield from ("--device", "cuda")
    if job.result is not None and job.result.threads != 1:
        yield from ("--threads", str(job.result.threads))


def _is_url(place: str) -> bool:
    return "://" in place


def _job_file(job: JobDetails, here: ArtifactListing) -> str:
    """Return the path of the job's file, which exists once the lines before have run."""
    return f"{job.key}.json" if _is_url(here.folder) else f"{here.folder}/{JOB_FILE}"


def _missing(job: JobDetails, here: ArtifactListing, paths: Paths) -> Iterator[str]:
    """Yield the shell lines to run first."""
    folder = shlex.quote(here.folder)
    as_job = hints.command("show", job.key, at=paths, more=["-f", "job"])
    if _is_url(here.folder):
        yield f"{as_job} > {job.key}.json"
    elif not here.has(JOB_FILE):
        yield f"# {JOB_FILE} is gone; this makes it:"
        yield f"mkdir -p {folder} && {as_job} > {folder}/{JOB_FILE}"
    if here.has(RESULT_FILE):
        yield "# the job is done; without this its result is only read again:"
        yield f"# remove {here.folder}/{RESULT_FILE}" if _is_url(here.folder) else f"rm {folder}/{RESULT_FILE}"
    for parent in job.parents:
        if not artifact_files(paths.artifacts, parent.key).has(RESULT_FILE):
            yield f"# its parent in role {parent.role} has no result here; this says how to make it:"
            yield hints.command("show", parent.key, at=paths)
