"""Checks that the data sets are where a sweep reads them."""

from pathlib import Path

from orchestrator.doctor.check_result import Line
from orchestrator.planning.prelaunch_checks import needed_data
from workers.data.loading import remote, source
from workers.data.loading.remote import DataRoot
from workers.errors import DataError
from workers.registry import DATASETS
from workers.spec.data import DataSpec

Needed = tuple[DataSpec, ...]
__all__ = ["Needed", "check_data_sets", "look_for_data", "needed_data"]


def check_data_sets(needed: Needed, root: DataRoot) -> list[Line]:
    """Check each data set that a sweep needs, in one line each."""
    return [_check(data, root) for data in needed]


def _check(data: DataSpec, root: DataRoot) -> Line:
    found = source(data)
    try:
        remote.check(found, root)
    except DataError as error:
        return Line("wrong", "data", str(error), "" if root else "say where it is with --data, or ROBUSTSWEEP_DATA")
    return Line("ok", "data", f"{data.name} is in {root}" if found.folder else f"{data.name} needs no files")


def look_for_data(root: DataRoot) -> list[Line]:
    """List the data sets that are there, for use without a space that says which are needed."""
    if root is None:
        return [Line("ok", "data", "no --data: digits and tones need none")]
    if isinstance(root, Path) and not root.is_dir():
        return [Line("wrong", "data", f"{root}: no such folder", "correct --data, or ROBUSTSWEEP_DATA")]
    there = [found.name for found in DATASETS if found.facts.folder and _check(DataSpec(name=found.name), root).status == "ok"]
    return [Line("ok", "data", f"{root} holds {', '.join(there) or 'no data set that is known'}")]
