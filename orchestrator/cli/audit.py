"""`robustsweep audit`: how robust a network really is."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.launch import Download, ExecutorChoice, ExecutorOption, GpusPerAttack, SetOption, Workers
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, Home, Output, StoreUrl, TableFormat, show
from orchestrator.cli.options import console as _console
from orchestrator.cli.options import paths as _paths
from workers.errors import UserError


@command(group="run")
def audit(  # noqa: PLR0913 (each is an option of the command)
    context: typer.Context,
    network: Annotated[str, typer.Argument(metavar="NET", help="A network's name, as in a space: resnet18, torchvision:resnet50, my_net.")],
    *,
    weights: Annotated[
        str, typer.Option(help="Its weights: a state dict (.safetensors, .pt), or the first digits of a trained model's key.")
    ],
    dataset: Annotated[
        str, typer.Option("--data", metavar="NAME", help="The data set on whose test examples it is audited: cifar10, folder:birds.")
    ],
    epsilon: Annotated[str, typer.Option(help="The attacks' ball, in input units: 8/255.")],
    norm: Annotated[str, typer.Option(help="linf or l2.")] = "linf",
    examples: Annotated[
        int | None,
        typer.Option(min=1, help="So many test examples, a fixed class-balanced choice.  [default: 1000, or all]", show_default=False),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="No further round of attacks is begun after this time: 90s, 30m, 2h.  [default: no end]", show_default=False),
    ] = None,
    overrides: SetOption = None,
    page: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page to write.  [default: SWEEP.html here]", show_default=False)
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write all that the claim rests on to a file, for `verify`; ask from the beginning.", show_default=False
        ),
    ] = None,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data_root: Annotated[
        str | None,
        typer.Option(
            envvar="ROBUSTSWEEP_DATA",
            metavar="DIR",
            help="Folder of data sets, or a URL: what other commands call --data.",
            show_default=False,
        ),
    ] = None,
    download: Download = False,
    executor: ExecutorOption = ExecutorChoice.auto,
    workers: Workers = None,
    gpus_per_attack: GpusPerAttack = None,
    output: Output = TableFormat.table,
) -> None:
    """Find out how robust NET is: the suite of attacks that the field trusts, then others until the verdict is sound or unsound.

    Adopts the network, measures clean accuracy, AutoAttack (adaptive to draws where it is randomised) and a full diagnosis, prints one
    table, the verdict with each check, and the cost, and writes a page. The same command continues after any interruption.
    """
    from typing import get_args

    from orchestrator.audit.audit import AuditOptions, run_audit
    from orchestrator.audit.rounds import read_budget
    from orchestrator.audit.summary import audit_json, audit_lines, render_audit, require_outcome
    from orchestrator.executors.base import Resources
    from orchestrator.launching.drive import SIGNAL_CODE
    from orchestrator.launching.launch import LaunchOptions
    from orchestrator.report.sweep_page.write_page import ReportOptions, report_sweep
    from orchestrator.terminal import hints
    from orchestrator.terminal.console import say
    from workers.spec.fields import NormName

    if (chosen := norm.lower()) not in get_args(NormName):
        raise UserError(f"--norm {norm}: one of {', '.join(get_args(NormName))}")
    if output not in (TableFormat.table, TableFormat.json):
        raise UserError(f"--format {output.value}: table or json; the page has the rest")
    where = _paths(home, store, data_root, artifacts=artifacts)
    options = AuditOptions(
        network=network,
        weights=weights,
        data=dataset,
        epsilon=epsilon,
        norm=chosen,  # type: ignore[arg-type]
        examples=examples,
        plugins=[str(name) for name in context.params.get("plugins") or ()],
        budget=read_budget(budget),
        bundle=bundle,
        launch=LaunchOptions(
            space="",
            paths=where,
            overrides=tuple(overrides or ()),
            executor=executor.value,
            resources=Resources(1, None, gpus_per_attack, workers),
            download=download,
        ),
    )
    found, code = run_audit(options, _console())
    if code > SIGNAL_CODE and not found.rows:
        raise typer.Exit(code)
    require_outcome(found)
    if output is TableFormat.json:
        typer.echo(audit_json(found))
        raise typer.Exit(code)
    written = report_sweep(ReportOptions(paths=where, sweep=found.name, output=page or Path(f"{found.name}.html")))
    show(render_audit(found))
    verifying = hints.command("verify", str(bundle))
    bundled = [f"bundle: {bundle}; anyone can check it: {verifying}"] if bundle is not None and not code else []
    for line in [*audit_lines(found), f"page: {written[0]}", *bundled]:
        say(_console(), line)
    raise typer.Exit(code)
