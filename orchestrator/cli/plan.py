"""`robustsweep plan`: show what `launch` would run."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.launch import MaxJobs, SetOption, SpaceArgument
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, DataFolder, Home, Output, StoreUrl, TableFormat, show
from orchestrator.cli.options import console as _console
from orchestrator.cli.options import paths as _paths
from orchestrator.planning import MAX_JOBS
from orchestrator.terminal.escaping import visible
from workers.errors import UserError


@command(group="run", runs_plugins=False)
def plan(  # noqa: PLR0913 (each is an option of the command)
    space: SpaceArgument,
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: DataFolder = None,
    overrides: SetOption = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="List every job.")] = False,
    layers: Annotated[
        bool, typer.Option("--layers", help="List what becomes of each layer of the networks: its rank, or why it stays dense.")
    ] = False,
    write_jobs: Annotated[
        Path | None,
        typer.Option(help="Write each job still to run to this folder as KEY.json, for `python -m workers`.", show_default=False),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate how long it will take, from the measured times of similar jobs in the database.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With --estimate: jobs at once.  [default: this machine's cores]", show_default=False)
    ] = None,
    price: Annotated[
        float | None, typer.Option(min=0, help="With --estimate: what one worker costs an hour, in any currency.", show_default=False)
    ] = None,
    max_jobs: MaxJobs = MAX_JOBS,
    output: Output = TableFormat.table,
) -> None:
    """Show what `launch SPACE` would run: jobs by stage and model, and which are done. Runs nothing."""
    from orchestrator.driver.scheduling.estimate import estimate_record, render_estimate
    from orchestrator.launching.preview import estimate_plan, keep_weights_of, missing_data, preview_plan, write_job_files
    from orchestrator.search.preview_search import plan_search
    from orchestrator.tables.plan_table import plan_json, render_plan
    from orchestrator.terminal.console import say

    if not estimate and (workers, price) != (None, None):
        raise UserError("--workers, --price: only with --estimate")
    where = _paths(home, store, data, artifacts=artifacts)
    if (searched := plan_search(space, tuple(overrides or ()), where, max_jobs=max_jobs)) is not None:
        refused = next(
            (
                name
                for name, given in (("--jobs", jobs), ("--layers", layers), ("--write-jobs", write_jobs), ("--estimate", estimate))
                if given
            ),
            None,
        )
        if refused is not None:
            raise UserError(f"{refused}: not of a search, whose jobs come one trial after the other")
        typer.echo(searched.json() if output is TableFormat.json else visible(searched.text(), keep="\n"))
        return
    name, found = preview_plan(space, tuple(overrides or ()), where, max_jobs=max_jobs)
    if write_jobs is not None:
        write_job_files(found, write_jobs, root=where.data_root)
        keep_weights_of(space, tuple(overrides or ()), where)
    if layers:
        from orchestrator.tables.plan_table import layer_tables
        from orchestrator.tables.writers import render

        show(render(list(layer_tables(found)), output.value))
        return
    if output.value == "json":
        also = {"estimate": estimate_record(estimate_plan(found, where, workers=workers), price=price)} if estimate else {}
        typer.echo(plan_json(name, found, **also))
        return
    show(render_plan(name, found, output.value, every_job=jobs))
    if output.value != "table":
        return
    if missing := missing_data(found, where):
        say(_console(), missing)
    if estimate:
        _console().print(render_estimate(estimate_plan(found, where, workers=workers), price=price), soft_wrap=True)
