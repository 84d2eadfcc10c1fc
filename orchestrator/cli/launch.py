"""`robustsweep launch`: run a sweep."""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.completion import complete_space
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, DataFolder, Home, StoreUrl
from orchestrator.cli.options import console as _console
from orchestrator.cli.options import paths as _paths
from orchestrator.planning import MAX_JOBS
from workers.errors import UserError

SpaceArgument = Annotated[
    str,
    typer.Argument(help="A built-in space's name (see `robustsweep spaces`), or the path of a YAML file.", autocompletion=complete_space),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override a field of the space: PATH=VALUE, e.g. model.theta=0.9.", show_default=False)
]
Download = Annotated[
    bool,
    typer.Option(
        "--download", help="Download published data sets (CIFAR-10, Speech Commands) that the data root lacks, before the first job."
    ),
]
Workers = Annotated[
    int | None, typer.Option(envvar="ROBUSTSWEEP_WORKERS", help="Most jobs at once.  [default: as many as fit]", show_default=False)
]
CpusPerJob = Annotated[int, typer.Option(help="CPU cores, and threads, of a job; other numbers give other last bits.")]
GpusPerTrain = Annotated[
    float | None,
    typer.Option(
        help="GPUs of a training job: several share each batch.  [default: as similar jobs took, else 1, if there is one]",
        show_default=False,
    ),
]
GpusPerAttack = Annotated[
    float | None,
    typer.Option(
        help="GPUs of another job; a fraction shares one.  [default: as similar jobs took, else 1, if there are any]", show_default=False
    ),
]
MemoryPerJob = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory of a job, such as 4GB: as many run at once as fit, one that takes more fails alone.  [default: no limit]",
        show_default=False,
    ),
]
MaxFailures = Annotated[int, typer.Option(help="Number of failures after which a job is still retried.")]
MaxJobs = Annotated[
    int, typer.Option(min=1, help="Refuse a space of more jobs, before any is made; a plan of 100,000 takes some 7 s and 0.3 GB.")
]
WaitForNodes = Annotated[
    float,
    typer.Option(
        envvar="ROBUSTSWEEP_WAIT_FOR_NODES",
        metavar="MINUTES",
        help="For an autoscaling cluster: how long to wait for a first node that can hold a job.",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(help="Run this job alone, and what it still needs: the first digits of its key; may be repeated.", show_default=False),
]
Notify = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        help="Run this shell command when the sweep ends; it is told ROBUSTSWEEP_SWEEP, _EXIT_CODE and _SUMMARY.",
        show_default=False,
    ),
]
MirrorTo = Annotated[
    list[str] | None,
    typer.Option(
        "--mirror",
        metavar="TARGET",
        help="Also send each training and result to tensorboard:DIR, mlflow:URI or wandb:PROJECT; may be repeated.",
        show_default=False,
    ),
]
ClusterHome = Annotated[
    Path | None,
    typer.Option(
        "--home", envvar="ROBUSTSWEEP_HOME", help="Folder of results.db and artifacts/, on every node of the cluster.", show_default=False
    ),
]


_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def memory_bytes(size: str | None) -> int | None:
    """The bytes of a size such as `4GB` or `512 MiB`.

    Raises:
        UserError: it is none, or this machine does not tell how much memory a process takes.
    """
    if size is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]I?B|B?)", size.strip().upper())
    if found is None or not float(found[1]):
        raise UserError(f"--memory-per-job {size}: must be a size above 0, such as 4GB, 512MiB or a number of bytes")
    if sys.platform != "linux":
        raise UserError("--memory-per-job: needs Linux, which says how much memory a process takes")
    return int(float(found[1]) * _UNITS[found[2]])


class ExecutorChoice(StrEnum):
    """Place where jobs run."""

    auto = "auto"
    ray = "ray"
    processes = "processes"
    inline = "inline"


ExecutorOption = Annotated[
    ExecutorChoice,
    typer.Option(
        help="`processes`: of this machine; `ray`: also for clusters and for GPUs that jobs share; `inline`: one job after the other in "
        "this process. `auto` is `ray` where one of these needs it, else `processes`."
    ),
]


@command(group="run")
def launch(  # noqa: PLR0913 (each is an option of the command)
    space: SpaceArgument,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: DataFolder = None,
    download: Download = False,
    overrides: SetOption = None,
    executor: ExecutorOption = ExecutorChoice.auto,
    address: Annotated[
        str | None,
        typer.Option(
            help="A Ray cluster that this machine is part of: `auto` or HOST:PORT. Without it, Ray is started on this machine.",
            show_default=False,
        ),
    ] = None,
    workers: Workers = None,
    cpus_per_job: CpusPerJob = 1,
    gpus_per_train: GpusPerTrain = None,
    gpus_per_attack: GpusPerAttack = None,
    memory_per_job: MemoryPerJob = None,
    max_failures: MaxFailures = 2,
    max_jobs: MaxJobs = MAX_JOBS,
    wait_for_nodes: WaitForNodes = 0.0,
    only: Only = None,
    notify: Notify = None,
    mirror: MirrorTo = None,
) -> None:
    """Run every job of SPACE that has no result yet. The same command continues after any interruption."""
    from orchestrator.executors.base import Resources
    from orchestrator.launching.launch import LaunchOptions
    from orchestrator.launching.launch import launch as run_launch
    from workers.plugins import FilePlugin, loaded

    options = LaunchOptions(
        space=space,
        paths=_paths(home, store, data, artifacts=artifacts),
        overrides=tuple(overrides or ()),
        executor=executor.value,
        address=address,
        resources=Resources(cpus_per_job, gpus_per_train, gpus_per_attack, workers, memory_bytes(memory_per_job)),
        max_failures=max_failures,
        max_jobs=max_jobs,
        wait_for_nodes=wait_for_nodes,
        download=download,
        only=tuple(only or ()),
        notify=notify,
        mirror=tuple(mirror or ()),
        plugins=tuple(str(plugin.path) for plugin in loaded() if isinstance(plugin, FilePlugin)),
    )
    raise typer.Exit(run_launch(options, _console()))
