"""Checks that the data sets are where a sweep reads them."""

from collections.abc import Iterable
from pathlib import Path

from orchestrator.doctor.check_result import CheckResult
from workers.data import DATASETS, remote, source
from workers.data.remote import DataRoot
from workers.errors import DataError
from workers.spec.fields import DatasetName, SplitLists
from workers.spec.job import Job, TrainSpec

Needed = tuple[tuple[DatasetName, SplitLists], ...]


def needed_data(jobs: Iterable[Job]) -> Needed:
    """Return the data sets of the jobs, with the lists that divide them."""
    return tuple(sorted({(job.spec.data.name, job.spec.data.split_lists) for job in jobs if isinstance(job.spec, TrainSpec)}))


def check_data_sets(needed: Needed, root: DataRoot) -> list[CheckResult]:
    """Check each data set that a sweep needs, in one line each."""
    return [_check(name, lists, root) for name, lists in needed]


def _check(name: DatasetName, lists: SplitLists, root: DataRoot) -> CheckResult:
    found = source(name, lists)
    try:
        remote.check(found, root)
    except DataError as error:
        return CheckResult("wrong", "data", str(error), "" if root else "say where it is, or is to be, with --data, or ROBUSTSWEEP_DATA")
    return CheckResult("ok", "data", f"{name} is in {root}" if found.folder else f"{name} needs no files")


def look_for_data(root: DataRoot) -> list[CheckResult]:
    """List the data sets that are there, for use without a space that says which are needed."""
    if root is None:
        return [CheckResult("ok", "data", "no --data: digits and tones need none")]
    if isinstance(root, Path) and not root.is_dir():
        return [CheckResult("wrong", "data", f"{root}: no such folder", "correct --data, or ROBUSTSWEEP_DATA")]
    there = [name for name, found in DATASETS.items() if found.folder and _check(name, "official", root).status == "ok"]
    return [CheckResult("ok", "data", f"{root} holds {', '.join(there) or 'no known data set'}")]
