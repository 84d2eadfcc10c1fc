"""Options of `launch`, which `submit` has too and passes on."""

from pathlib import Path
from typing import Annotated

import typer

SpaceArgument = Annotated[str, typer.Argument(help="A built-in space's name (see `robustsweep spaces`), or the path of a YAML file.")]
Overrides = Annotated[
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
CpusPerJob = Annotated[int, typer.Option(help="CPU cores, and threads, of a job.")]
GpusPerTrain = Annotated[
    float | None, typer.Option(help="GPUs of a training job.  [default: as similar jobs took, else 1, if there is one]", show_default=False)
]
GpusPerAttack = Annotated[
    float | None,
    typer.Option(
        help="GPUs of another job; a fraction shares one.  [default: as similar jobs took, else 1, if there are any]", show_default=False
    ),
]
MaxFailures = Annotated[int, typer.Option(help="Number of failures after which a job is still retried.")]
WaitForNodes = Annotated[
    float,
    typer.Option(
        envvar="ROBUSTSWEEP_WAIT_FOR_NODES",
        metavar="MINUTES",
        help="For an autoscaling cluster: how long to wait for a first node that can hold a job.",
    ),
]
ClusterHome = Annotated[
    Path | None,
    typer.Option(
        "--home", envvar="ROBUSTSWEEP_HOME", help="Folder of results.db and artifacts/, on every node of the cluster.", show_default=False
    ),
]
