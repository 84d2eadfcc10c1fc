"""`robustsweep spaces`: list the built-in spaces."""

from orchestrator.cli.options import console as _console


def spaces() -> None:
    """List the built-in spaces."""
    from orchestrator.tables.terminal_table import plain_table
    from search_spaces import builtin_spaces

    table = plain_table()
    table.add_column("space", no_wrap=True)
    table.add_column("what it is")
    for name, description in builtin_spaces():
        table.add_row(name, description)
    _console().print(table)
