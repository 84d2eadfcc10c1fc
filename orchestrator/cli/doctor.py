"""`robustsweep doctor`."""

from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.completion import complete_space
from orchestrator.cli.launch import MaxJobs, SetOption
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, DataFolder, Home, Output, StoreUrl, TableFormat, console, paths, show
from orchestrator.planning import MAX_JOBS
from workers.errors import UserError


@command(group="run")
def doctor(  # noqa: PLR0913 (each is an option of the command)
    space: Annotated[
        str | None,
        typer.Argument(
            help="A space that is to be launched: a built-in one's name, or a YAML file.", show_default=False, autocompletion=complete_space
        ),
    ] = None,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: DataFolder = None,
    overrides: SetOption = None,
    address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster that this machine is part of, `auto` or HOST:PORT: every node is asked.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="For the estimate: jobs at once.  [default: as many as fit]", show_default=False)
    ] = None,
    price: Annotated[
        float | None, typer.Option(min=0, help="For the estimate: what one worker costs an hour, in any currency.", show_default=False)
    ] = None,
    max_jobs: MaxJobs = MAX_JOBS,
    output: Output = TableFormat.table,
) -> None:
    """Check before a launch what would prevent it: versions, disk, database, artifacts, data, GPUs, tokens, every node of a cluster.

    Nothing is changed. Exit code 0: a sweep would run; 1: something is wrong.
    """
    if space is None and (overrides, workers, price) != (None, None, None):
        raise UserError("--set, --workers, --price: only with a SPACE")
    from orchestrator.launching.doctor.results_of_checks import exit_code, render_counts, render_result, render_results
    from orchestrator.launching.doctor.run_checks import DoctorOptions, run_checks

    asked = DoctorOptions(
        paths=paths(home, store, data, artifacts=artifacts),
        space=space,
        overrides=tuple(overrides or ()),
        address=address,
        workers=workers,
        price=price,
        max_jobs=max_jobs,
    )
    lines, shown = [], console()
    for line in run_checks(asked):
        lines.append(line)
        if output.value == "table":
            shown.print(render_result(line), soft_wrap=True, highlight=False)
    if output.value == "table":
        shown.print(render_counts(lines), soft_wrap=True)
    else:
        show(render_results(lines, output.value))
    raise typer.Exit(exit_code(lines))
