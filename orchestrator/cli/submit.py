"""`robustsweep submit`."""

from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.launch import (
    ClusterHome,
    CpusPerJob,
    Download,
    GpusPerAttack,
    GpusPerTrain,
    MaxFailures,
    MaxJobs,
    MemoryPerJob,
    MirrorTo,
    Notify,
    Only,
    SetOption,
    SpaceArgument,
    WaitForNodes,
    Workers,
    memory_bytes,
)
from orchestrator.cli.options import ArtifactsUrl, DataFolder, StoreUrl, console
from orchestrator.planning import MAX_JOBS


@command(group="run")
def submit(  # noqa: PLR0913 (each is an option of the command)
    context: typer.Context,
    space: SpaceArgument,
    *,
    address: Annotated[str, typer.Option(envvar="RAY_API_SERVER_ADDRESS", help="Where the cluster's dashboard answers: http://HOST:8265.")],
    home: ClusterHome = None,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: DataFolder = None,
    download: Download = False,  # noqa: ARG001 (handed on as it was given)
    overrides: SetOption = None,
    workers: Workers = None,
    cpus_per_job: CpusPerJob = 1,
    gpus_per_train: GpusPerTrain = None,
    gpus_per_attack: GpusPerAttack = None,
    memory_per_job: MemoryPerJob = None,
    max_failures: MaxFailures = 2,  # noqa: ARG001
    max_jobs: MaxJobs = MAX_JOBS,
    wait_for_nodes: WaitForNodes = 0.0,  # noqa: ARG001
    only: Only = None,  # noqa: ARG001
    notify: Notify = None,  # noqa: ARG001
    mirror: MirrorTo = None,  # noqa: ARG001
    wait: Annotated[bool, typer.Option(help="Show the sweep's output until its end, and exit as `launch` does.")] = True,
    ship_code: Annotated[
        bool, typer.Option("--ship-code", help="Run this checkout's code, instead of what is installed on the cluster.")
    ] = False,
) -> None:
    """Have a Ray cluster `launch` SPACE: its head drives the sweep, also after this machine has gone.

    Files of your own components travel with SPACE: those of --plugin, and those that SPACE names by relative paths. Other paths are the
    cluster's. Without --home, --store, --artifacts and --data the environment of the cluster's head gives their values.
    """
    from orchestrator.executors.base import Resources
    from orchestrator.launching.submission import Submission
    from orchestrator.launching.submission import submit as run_submit
    from orchestrator.terminal.console import say
    from orchestrator.terminal.escaping import visible

    # Raises here the errors that the driver would raise there.
    Resources(cpus_per_job, gpus_per_train, gpus_per_attack, workers, memory_bytes(memory_per_job))
    submission = Submission(
        space=space,
        address=address,
        overrides=tuple(overrides or ()),
        home=home,
        store=store,
        artifacts=artifacts,
        data=data,
        words=_handed_on(context),
        ship_code=ship_code,
        max_jobs=max_jobs,
    )
    shown = console()
    code = run_submit(
        submission,
        wait=wait,
        say=lambda text: say(shown, text),
        write=lambda text: typer.echo(visible(text, keep="\n\t"), nl=False),
    )
    raise typer.Exit(code)


_HERE = {"space", "address", "home", "store", "artifacts", "data", "overrides", "plugins", "wait", "ship_code"}


def _handed_on(context: typer.Context) -> tuple[str, ...]:
    """Return the options of `launch` that were given on this command line and that `submit` itself does not use."""
    words: list[str] = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name not in _HERE and source is not None and source.name == "COMMANDLINE":
            value = context.params[parameter.name or ""]
            for one in value if isinstance(value, list) else [value]:
                words += [parameter.opts[0]] if one is True else [parameter.opts[0], f"{one}"]
    return tuple(words)
