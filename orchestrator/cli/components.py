"""`robustsweep components`: list networks, data sets, attacks and other components; `check-plugin`: check one's own."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.completion import complete_kind
from orchestrator.cli.options import DataFolder, Output, TableFormat, show


@command(group="run")
def components(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="model, dataset, attack, defence, loss, metric or corruption; or a library, such as foolbox. All kinds if left out.",
            show_default=False,
            autocompletion=complete_kind,
        ),
    ] = None,
    *,
    output: Output = TableFormat.table,
) -> None:
    """List networks, data sets, attacks, defences, losses, metrics and corruptions, with their settings; with --plugin one's own too."""
    from orchestrator.tables.components_table import components_table
    from orchestrator.tables.writers import render
    from workers.plugins import load_plugins, named_in_environment

    load_plugins(named_in_environment())
    show(render(components_table(kind), output.value))


@command(group="run", name="check-plugin")
def check_plugin(
    file: Annotated[Path, typer.Argument(help="A plugin: a file, a package's folder, or an installed distribution.")],
    *,
    data: DataFolder = None,
    output: Output = TableFormat.table,
) -> None:
    """Check every component of a plugin on a small batch: shapes, gradients, draws, the attacker's ball. Exit code 2 if one is broken."""
    from orchestrator.tables.table import Column, Mark, Table
    from orchestrator.tables.writers import render
    from workers.data.loading.remote import data_root
    from workers.errors import UserError
    from workers.measure.contract import ContractError, check_component, registered_by
    from workers.plugins import find_plugin, load_plugins

    load_plugins([file])
    root = data_root(data)
    if isinstance(root, str):
        raise UserError(f"--data {data}: must be a folder here")
    rows = []
    for component in (found := registered_by(str(find_plugin(str(file), Path()).path))):
        try:
            check_component(component, root=root)
            rows.append((component.kind, component.name, component.place, Mark("keeps the contract", "good")))
        except ContractError as error:
            without = "; it was given no root: --data names one" if component.kind == "dataset" and root is None else ""
            rows.append((component.kind, component.name, component.place, Mark(f"{str(error).partition(': ')[2]}{without}", "bad")))
    if not found:
        raise UserError(
            f"plugin {file}: registers nothing; decorate with robustsweep's model, dataset, attack, defence, loss, metric or corruption"
        )
    columns = (Column("kind"), Column("name"), Column("place"), Column("check", heading="what was found", wraps=True))
    show(render(Table(columns=columns, rows=tuple(rows)), output.value))
    if any(mark.tone == "bad" for *_, mark in rows):
        raise typer.Exit(2)
