"""`robustsweep query`: the database in SQL."""

from importlib.resources import files
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, Home, Output, StoreUrl, TableFormat, paths, show
from workers.errors import UserError


@command(group="look")
def query(
    statement: Annotated[
        str | None,
        typer.Argument(help="One SELECT, on the views v_results, v_models, v_jobs, v_worst_case and v_corruptions.", show_default=False),
    ] = None,
    *,
    examples: Annotated[bool, typer.Option("--examples", help="Print the views' columns and a page of questions to copy.")] = False,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Stop the statement after so long.")] = 60.0,
    force: Annotated[bool, typer.Option("--force", help="Ask PostgreSQL even with a role that may do more than read.")] = False,
    output: Output = TableFormat.table,
) -> None:
    """Query the database in SQL, read-only. The views are its stable schema. In JSON infinities and NaN are texts."""
    if examples:
        show(files("orchestrator.cli").joinpath("queries.sql").read_text("utf-8").rstrip())
        return
    if statement is None:
        raise UserError("query: needs a statement; `robustsweep query --examples` shows some")
    from orchestrator.store import open_store
    from orchestrator.store.connection.read_only_sql import ask
    from orchestrator.tables.first_of_answer import first_of_answer
    from orchestrator.tables.table import table_of
    from orchestrator.tables.writers import Format, parts, render

    with open_store(paths(home, store).store_url, upgrade=False) as opened:
        answer = ask(opened, statement, timeout=timeout, force=force)
    form: Format = output.value
    if form == "csv" or form == "json":  # noqa: PLR1714 (mypy follows only this)
        for part in parts(table_of(answer.columns, answer.rows), form):
            typer.echo(part, nl=False)
    else:
        show(render(first_of_answer(answer.columns, answer.rows), form))
