"""Checks that the data sets are where a sweep reads them."""

from pathlib import Path

from orchestrator.doctor.check_result import CheckResult
from orchestrator.planning.prelaunch_checks import needed_data
from workers.data.loading import remote, source
from workers.data.loading.remote import DataRoot
from workers.errors import DataError
from workers.registry import DATASETS
from workers.spec.data import DataSpec

Needed = tuple[DataSpec, ...]
__all__ = ["Needed", "check_data_sets", "look_for_data", "needed_data"]


def check_data_sets(needed: Needed, root: DataRoot) -> list[CheckResult]:
    """Check each data set that a sweep needs, in one line each."""
    return [_check(data, root) for data in needed]


def _check(data: DataSpec, root: DataRoot) -> CheckResult:
    found = source(data)
    try:
        remote.check(found, root)
    except DataError as error:
        return CheckResult("wrong", "data", str(error), "" if root else "say where it is, or is to be, with --data, or ROBUSTSWEEP_DATA")
    return CheckResult("ok", "data", f"{data.name} is in {root}" if found.folder else f"{data.name} needs no files")


def look_for_data(root: DataRoot) -> list[CheckResult]:
    """List the data sets that are there, for use without a space that says which are needed."""
    if root is None:
        return [CheckResult("ok", "data", "no --data: digits and tones need none")]
    if isinstance(root, Path) and not root.is_dir():
        return [CheckResult("wrong", "data", f"{root}: no such folder", "correct --data, or ROBUSTSWEEP_DATA")]
    there = [found.name for found in DATASETS if found.facts.folder and _check(DataSpec(name=found.name), root).status == "ok"]
    return [CheckResult("ok", "data", f"{root} holds {', '.join(there) or 'no known data set'}")]
