"""`robustsweep show`: everything about one job."""

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, DataFolder, Home, StoreUrl, paths


class ShownAs(StrEnum):
    """Output format of a job."""

    table = "table"
    json = "json"
    job = "job"


@command(group="look")
def show(
    key: Annotated[str, typer.Argument(help="The first four or more digits of a job's key; a model's key is that of its training.")],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: DataFolder = None,
    output: Annotated[ShownAs, typer.Option("--format", "-f", help="How to print; `job` is the file that `python -m workers` runs.")] = (
        ShownAs.table
    ),
) -> None:
    """Show one job: its spec, relatives, attempts, result, environment and files, and the command that runs it alone."""
    from orchestrator.report.artifact_files import artifact_of, rerun
    from orchestrator.report.job_page import job_file, job_json, render_job
    from orchestrator.store import open_store
    from orchestrator.store.reading.job_details import job_details

    where = paths(home, store, data, artifacts=artifacts)
    with open_store(where.store_url, upgrade=False) as opened:
        job = job_details(opened, key)
    if output is ShownAs.job:
        typer.echo(job_file(job))
        return
    found = artifact_of(job, where.artifacts), rerun(job, where)
    typer.echo(job_json(job, *found) if output is ShownAs.json else render_job(job, *found))
