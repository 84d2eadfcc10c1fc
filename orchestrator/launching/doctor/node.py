"""Checks that run on every node of a cluster, of its GPUs and data sets too. Imports neither database modules nor Ray."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from orchestrator.launching.doctor.artifact_store import ADVICE, MarkerFile, check_artifacts, check_shared
from orchestrator.launching.doctor.disk import GIB, check_disk, written_folders
from orchestrator.launching.doctor.results_of_checks import TIMEOUT, CheckResult, guarded, with_timeout
from orchestrator.launching.doctor.versions import versions_here
from orchestrator.planning.prelaunch_checks import needed_data
from workers.data.loading import remote, source
from workers.data.loading.remote import DataRoot
from workers.errors import DataError
from workers.registry import DATASETS
from workers.spec.component import DataSpec

_DEVICE = Path("/dev/nvidia0")


def check_gpus(*, expected: float | None = None) -> list[CheckResult]:
    """Check the GPUs in one line; `expected` is the number of GPUs that Ray hands out here (None: as many as there are)."""
    import torch

    seen = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    listed = ", ".join(f"{gpu.name} ({gpu.total_memory / GIB:.0f} GiB)" for gpu in seen)
    if not seen:
        return [_none_seen(torch.__version__, expected)]
    if expected is not None and expected < len(seen):
        return [
            CheckResult("warning", "GPU", f"{listed}; Ray hands out {expected:g}", "start the node's Ray with --num-gpus, to use them all")
        ]
    if expected is not None and expected > len(seen):
        return [
            CheckResult("wrong", "GPU", f"{listed}; Ray hands out {expected:g}", "start the node's Ray with as many --num-gpus as it has")
        ]
    return [CheckResult("ok", "GPU", listed)]


def _none_seen(torch_version: str, expected: float | None) -> CheckResult:
    advice = "install a CUDA build of torch that fits the driver (`nvidia-smi` shows the CUDA version that it supports)"
    if expected:
        return CheckResult("wrong", "GPU", f"torch {torch_version} sees none, and Ray hands out {expected:g}", advice)
    if _DEVICE.exists():
        return CheckResult(
            "warning", "GPU", f"torch {torch_version} sees none, though {_DEVICE} is there: jobs would run on the CPU", advice
        )
    return CheckResult("ok", "GPU", "none: jobs run on the CPU")


Needed = tuple[DataSpec, ...]
__all__ = ["Needed", "check_data_sets", "look_for_data", "needed_data"]


def check_data_sets(needed: Needed, root: DataRoot) -> list[CheckResult]:
    """Check each data set that a sweep needs, in one line each."""
    return [_check(data, root) for data in needed]


def _check(data: DataSpec, root: DataRoot) -> CheckResult:
    found = source(data)
    try:
        remote.verify(found, root)
        remote.sizes(found, root)
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


@dataclass(frozen=True, kw_only=True)
class NodeQuestion:
    """Question to a node: `needed` data sets in `data_root`, and the store, with the driver's `mark` in it (None: the driver
    could leave none). `gpus` is the number that Ray hands out there."""

    artifacts_url: str
    data_root: DataRoot
    needed: Needed = ()
    mark: MarkerFile | None = None
    gpus: float = 0.0

    def of_node(self, gpus: float) -> "NodeQuestion":
        return replace(self, gpus=gpus)


@dataclass(frozen=True, kw_only=True)
class NodeAnswer:
    """Answer of a node; `clock` is its time, in seconds of the epoch, at the end of the checks."""

    versions: dict[str, str]
    lines: tuple[CheckResult, ...]
    clock: float


def inspect_node(question: NodeQuestion) -> NodeAnswer:
    """Check the node that this runs on; no check delays it for long, and none raises."""
    store = partial(_check_store, question.artifacts_url, question.mark)
    lines = [
        *guarded_with_timeout("data", partial(check_data_sets, question.needed, question.data_root)),
        *guarded_with_timeout("artifacts", store, advice=ADVICE),
        *guarded("disk", lambda: check_disk(written_folders(question.artifacts_url, question.data_root))),
        *guarded("GPU", partial(check_gpus, expected=question.gpus)),
    ]
    return NodeAnswer(versions=versions_here(), lines=tuple(lines), clock=time.time())


def _check_store(url: str, mark: MarkerFile | None) -> list[CheckResult]:
    return check_artifacts(url) if mark is None else check_shared(url, mark)


def guarded_with_timeout(what: str, check: Callable[[], list[CheckResult]], *, advice: str = "") -> list[CheckResult]:
    """Run a check that may wait for a network, with a time limit."""
    return guarded(what, lambda: with_timeout(TIMEOUT, check, what=what), advice=advice)
