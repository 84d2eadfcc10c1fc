"""Where a job's kept files are: their names hold the first digits of their content's SHA-256."""

from pathlib import Path

from workers.artifacts.artifacts import Artifacts, stored_name


def kept(root: Path, key: str, name: str) -> Path:
    """The path of a finished job's file."""
    artifacts = Artifacts(root)
    return Path(artifacts.where(key, stored_name(name, artifacts.result(key).files[name])))


def job_folder(root: Path, key: str) -> Path:
    """The folder of a job's files."""
    return Path(Artifacts(root).where(key))
