"""`robustsweep launch`: run a sweep."""

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.launch_options import (
    CpusPerJob,
    Download,
    GpusPerAttack,
    GpusPerTrain,
    MaxFailures,
    Overrides,
    SpaceArgument,
    WaitForNodes,
    Workers,
)
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, DataFolder, Home, StoreUrl
from orchestrator.cli.options import console as _console
from orchestrator.cli.options import paths as _paths
from workers.errors import UserError


class ExecutorChoice(StrEnum):
    """Place where jobs run."""

    ray = "ray"
    inline = "inline"


@command(group="run")
def launch(  # noqa: PLR0913 (each is an option of the command)
    space: SpaceArgument,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: DataFolder = None,
    download: Download = False,
    overrides: Overrides = None,
    executor: Annotated[
        ExecutorChoice, typer.Option(help="`ray`, or `inline`: one job after the other in this process.")
    ] = ExecutorChoice.ray,
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
    max_failures: MaxFailures = 2,
    wait_for_nodes: WaitForNodes = 0.0,
) -> None:
    """Run every job of SPACE that has no result yet. The same command continues after any interruption."""
    from orchestrator.executors.base import Resources
    from orchestrator.launching.launch import LaunchOptions
    from orchestrator.launching.launch import launch as run_launch

    if address is not None and executor is ExecutorChoice.inline:
        raise UserError("--address: only with --executor ray")
    options = LaunchOptions(
        space=space,
        paths=_paths(home, store, data, artifacts=artifacts),
        overrides=tuple(overrides or ()),
        executor=executor.value,
        address=address,
        resources=Resources(cpus_per_job, gpus_per_train, gpus_per_attack, workers),
        max_failures=max_failures,
        wait_for_nodes=wait_for_nodes,
        download=download,
    )
    raise typer.Exit(run_launch(options, _console()))
