"""Checks of the free space where a sweep writes."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from orchestrator.launching.doctor.results_of_checks import CheckResult
from workers.data.loading.remote import DataRoot
from workers.files import user_cache

GIB = 2**30
LITTLE, TOO_LITTLE = 5 * GIB, GIB // 2


def local_folder(url: str) -> Path | None:
    """Return the folder of this machine that a URL names; None where it is elsewhere."""
    if url.startswith(("file://", "local://")):
        return Path(url.partition("://")[2])
    return None if "://" in url else Path(url)


def written_folders(artifacts_url: str, data_root: DataRoot) -> dict[str, Path]:
    """Return the folders that a worker writes to, by their purpose."""
    found = {"artifacts": local_folder(artifacts_url), "temporary files": Path(tempfile.gettempdir())}
    found["copies of the data"] = user_cache() if isinstance(data_root, str) else None
    return {name: folder for name, folder in found.items() if folder is not None}


def check_disk(folders: Mapping[str, Path]) -> list[CheckResult]:
    """Check the free space of each file system, in one line each; the folders need not exist yet."""
    systems: dict[int, tuple[Path, list[str]]] = {}
    for name, folder in folders.items():
        there = nearest(folder)
        systems.setdefault(there.stat().st_dev, (there, []))[1].append(name)
    return [_line(folder, names) for folder, names in systems.values()]


def _line(folder: Path, names: list[str]) -> CheckResult:
    free = shutil.disk_usage(folder).free
    found = f"{free / GIB:.1f} GiB free for {', '.join(names)} ({folder})"
    if free < TOO_LITTLE:
        return CheckResult("wrong", "disk", found, "make space, or write elsewhere")
    if free < LITTLE:
        return CheckResult("warning", "disk", found, "make space before a long sweep")
    return CheckResult("ok", "disk", found)


def nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
