"""All checks, in the order in which they are read: this machine, the database, the store, the data, the cluster, the sweep."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from orchestrator.launching.doctor.artifact_store import ADVICE, MarkerFile, check_artifacts, marker_file
from orchestrator.launching.doctor.authentication import check_cluster, check_own_ray
from orchestrator.launching.doctor.database import REACH, check_database, database_file
from orchestrator.launching.doctor.disk import check_disk, written_folders
from orchestrator.launching.doctor.node import NodeQuestion, check_data_sets, check_gpus, guarded_with_timeout, look_for_data, needed_data
from orchestrator.launching.doctor.results_of_checks import TIMEOUT, CheckResult, guarded, with_timeout
from orchestrator.launching.doctor.sweep_checks import check_estimate, check_space, load
from orchestrator.launching.doctor.versions import check_versions, versions_here
from orchestrator.launching.preview import preview_plan
from orchestrator.paths import Paths
from orchestrator.planning import MAX_JOBS
from orchestrator.planning.prelaunch_checks import check_home
from search_spaces import LoadedSpace
from workers.errors import UserError
from workers.spec.job import Job


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """Options of the user. Without a `space` no sweep is checked, without an `address` no cluster."""

    paths: Paths
    space: str | None = None
    overrides: Sequence[str] = ()
    address: str | None = None
    workers: int | None = None
    price: float | None = None
    max_jobs: int = MAX_JOBS


def run_checks(options: DoctorOptions) -> Iterator[CheckResult]:
    """Yield a line for each check, as soon as it is made.

    Raises:
        UserError: there is no such space, or it is wrong.
    """
    loaded, jobs = load(options.space, options.overrides, max_jobs=options.max_jobs) if options.space is not None else (None, [])
    return _lines(options, loaded, jobs)


def _lines(options: DoctorOptions, loaded: LoadedSpace | None, jobs: list[Job]) -> Iterator[CheckResult]:
    workers, unhealthy = options.workers, False
    here = versions_here()
    for line in _here(options.paths, loaded, jobs, here):
        unhealthy = unhealthy or (line.status == "wrong" and line.what in ("database", "artifacts"))
        yield line
    if options.address is None:
        yield from guarded("authentication", check_own_ray)
        yield from guarded("GPU", check_gpus)
    else:
        cluster = _Cluster(options.address, options.paths, jobs, here)
        yield from guarded("cluster", cluster.check)
        workers = workers or cluster.slots
    if loaded is None or options.space is None:
        return
    yield from guarded_with_timeout("space", partial(check_space, loaded, jobs, options.paths))
    if unhealthy:
        yield CheckResult("warning", "estimate", "none without database and artifacts", "first correct what is wrong above")
        return
    planned = partial(preview_plan, options.space, options.overrides, options.paths, max_jobs=options.max_jobs)
    yield from guarded("estimate", partial(check_estimate, loaded, planned, options.paths, workers=workers, price=options.price))


def _here(paths: Paths, loaded: LoadedSpace | None, jobs: list[Job], here: dict[str, str]) -> Iterator[CheckResult]:
    """Check this machine and the places."""
    yield from guarded("versions", partial(check_versions, here))
    yield from guarded("home", partial(_check_home, paths))
    yield from guarded("disk", partial(_check_disk, paths))
    yield from guarded_with_timeout("database", partial(check_database, paths.store_url, loaded.name if loaded else None), advice=REACH)
    yield from guarded_with_timeout("artifacts", partial(check_artifacts, paths.artifacts_url), advice=ADVICE)
    yield from guarded_with_timeout("data", partial(_check_data, paths, jobs))


def _check_home(paths: Paths) -> list[CheckResult]:
    check_home(paths.home)
    return []


def _check_disk(paths: Paths) -> list[CheckResult]:
    written = written_folders(paths.artifacts_url, paths.data_root)
    try:
        file = database_file(paths.store_url)
    except UserError:  # the database's own line says so
        file = None
    return check_disk(({"results": file.parent} if file else {}) | written)


def _check_data(paths: Paths, jobs: list[Job]) -> list[CheckResult]:
    return check_data_sets(needed_data(jobs), paths.data_root) if jobs else look_for_data(paths.data_root)


class _Cluster:
    """Cluster at an address; `slots`, the number of jobs that run there at once, is known after `check`."""

    def __init__(self, address: str, paths: Paths, jobs: list[Job], here: dict[str, str]) -> None:
        self._address, self._paths, self._jobs, self._here = address, paths, jobs, here
        self.slots: int | None = None

    def check(self) -> list[CheckResult]:
        """Join the cluster, check it and its nodes, and leave it.

        Raises:
            UserError: it cannot be joined.
        """
        import ray

        from orchestrator.executors.ray_tune.cluster import join_cluster

        logging.getLogger("ray").setLevel(logging.CRITICAL)
        said: list[str] = []
        join_cluster(self._address, warn=said.append, log_to_driver=False, logging_level=logging.CRITICAL)
        try:
            return [*check_cluster(said), *self._nodes()]
        finally:
            ray.shutdown()

    def _nodes(self) -> list[CheckResult]:
        import ray

        from orchestrator.executors.base import Resources
        from orchestrator.executors.ray_tune.capacity import slots
        from orchestrator.launching.doctor.nodes import check_nodes

        self.slots = slots(Resources(), dict(ray.cluster_resources()), growing=False)
        paths = self._paths
        with ExitStack() as stack:
            question = NodeQuestion(
                artifacts_url=paths.artifacts_url,
                data_root=paths.data_root,
                needed=needed_data(self._jobs),
                mark=_mark(paths.artifacts_url, stack),
            )
            return check_nodes(question, self._here)


def _mark(url: str, stack: ExitStack) -> MarkerFile | None:
    """Keep a mark in the store until the stack's end; None where the driver can leave none, which an earlier line says."""
    if url.startswith("memory://"):
        return None
    try:
        return with_timeout(TIMEOUT, lambda: stack.enter_context(marker_file(url)), what="artifacts")
    except UserError:
        return None
