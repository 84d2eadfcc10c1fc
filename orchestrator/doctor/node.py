"""Checks that run on every node of a cluster. Imports neither database modules nor Ray."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.doctor.artifact_store import ADVICE, MarkerFile, check_artifacts, check_shared
from orchestrator.doctor.check_result import CheckResult, guarded
from orchestrator.doctor.data_sets import Needed, check_data_sets
from orchestrator.doctor.disk import check_disk, written_folders
from orchestrator.doctor.gpu import check_gpus
from orchestrator.doctor.timeout import TIMEOUT, with_timeout
from orchestrator.doctor.versions import versions_here
from workers.data.loading.remote import DataRoot


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
