"""`robustsweep mirror`: send a sweep that has run to TensorBoard, MLflow or W&B."""

from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, Home, StoreUrl, SweepArgument, paths
from workers.errors import UserError


@command(group="share")
def mirror(
    sweep: SweepArgument,
    target: Annotated[str, typer.Argument(help="tensorboard:DIR, mlflow:URI or wandb:PROJECT.")],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
) -> None:
    """Send SWEEP's trainings and results to TensorBoard, MLflow or W&B. Runs that an earlier mirror made in the first two are replaced."""
    from orchestrator.driver.mirrors import parse_target
    from orchestrator.driver.mirrors.sweep_mirrors import mirror_results
    from orchestrator.naming.names import JobNames
    from orchestrator.planning.plan import STAGES
    from orchestrator.store import open_store
    from orchestrator.store.reading.result_rows import finished_of_sweep
    from workers.errors import first_line

    named = parse_target(target, option=f"mirror {sweep}")
    where = paths(home, store, artifacts=artifacts)
    with open_store(where.store_url, upgrade=False) as opened:
        keys = finished_of_sweep(opened, sweep)
    jobs = sorted((where.artifacts.job(key) for key in keys), key=lambda job: (STAGES.index(job.stage), getattr(job.spec, "repeat", 0)))
    found = ((job, where.artifacts.result(job.key)) for job in jobs)
    try:
        models, entries = mirror_results(found, JobNames(jobs), named.make(True), sweep=sweep)
    except OSError as error:
        raise UserError(f"mirror {sweep}: {target}: {first_line(error)}") from None
    typer.echo(f"sweep {sweep}: {len(jobs)} results of {models} models, {entries} entries, to {target}")
