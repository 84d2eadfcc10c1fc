"""`robustsweep explain`: what a word means here."""

from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.completion import complete_word
from orchestrator.cli.options import Output, TableFormat, show


@command(group="look")
def explain(
    word: Annotated[
        str | None,
        typer.Argument(
            help="Such as knowledge, theta, verdict, pgd, model.rank_fraction.", show_default=False, autocompletion=complete_word
        ),
    ] = None,
    *,
    output: Output = TableFormat.table,
) -> None:
    """Explain a word of tables and pages, a setting of a space or a component; without WORD the whole glossary."""
    from orchestrator.naming.glossary import explained, words
    from orchestrator.tables.table import Column, Table
    from orchestrator.tables.writers import render

    rows = list(words().items()) if word is None else explained(word)
    columns = (Column("is", heading="word" if word is None else word), Column("meaning", wraps=True))
    show(render(Table(columns=columns, rows=tuple(rows)), output.value))
