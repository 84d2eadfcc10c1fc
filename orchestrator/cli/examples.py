"""`robustsweep examples`: adversarial examples of an attack as pictures."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command
from orchestrator.cli.options import DEFAULT_HOME, ArtifactsUrl, DataFolder, Home, StoreUrl, paths


@command(group="look")
def examples(
    key: Annotated[str, typer.Argument(help="The first four or more digits of an attack job's key; `results -f json` has them.")],
    *,
    home: Home = DEFAULT_HOME,
    store: StoreUrl = None,
    artifacts: ArtifactsUrl = None,
    data: DataFolder = None,
    out: Annotated[
        Path | None,
        typer.Option("--output", "--out", "-o", help="File to write, .png or .html.  [default: KEY-examples.html]", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option("--count", help="Show at most so many examples.", min=1)] = 16,
    fooled: Annotated[bool, typer.Option("--fooled", help="Show only examples that were right, and are wrong after the attack.")] = False,
) -> None:
    """Draw the examples that an attack keeps: clean, attacked, the difference, and the predicted classes; sounds with their SNR.

    Attacks keep their first examples where the space says `keep_examples: N`; those of knowledge omniscient or transfer keep all.
    """
    from orchestrator.report.examples.attacked import attacked_examples
    from orchestrator.store import open_store
    from orchestrator.store.reading.job_details import find_key

    where = paths(home, store, data, artifacts=artifacts)
    with open_store(where.store_url, upgrade=False) as opened:
        found = attacked_examples(opened, where.artifacts, (whole := find_key(opened, key)), root=where.data_root)
    chosen = (found.fooled() if fooled else found).first(count)
    typer.echo(f"{found.title}\n{chosen.note}")
    typer.echo(chosen.save(out or Path(f"{whole[:8]}-examples.html")))
