"""`robustsweep spaces`: list the built-in spaces."""

from orchestrator.cli.app import command
from orchestrator.cli.options import Output, TableFormat, show


@command(group="run")
def spaces(*, output: Output = TableFormat.table) -> None:
    """List the built-in spaces."""
    from orchestrator.tables.table import Column, Table
    from orchestrator.tables.writers import render
    from search_spaces import builtin_spaces

    columns = (Column("space"), Column("description", heading="what it is", wraps=True))
    show(render(Table(columns=columns, rows=tuple(builtin_spaces())), output.value))
