"""`robustsweep verify`: a bundle of an audit, checked by someone else."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.app import command


@command(group="share")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle: what `audit --bundle FILE` has written.")],
    *,
    weights: Annotated[
        Path | None,
        typer.Option(help="Use this state dict, which must be the claim's.  [default: the weights in the bundle]", show_default=False),
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="So many random examples are evaluated anew.")] = 100,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the choice of examples.  [default: another one each time]", show_default=False)
    ] = None,
) -> None:
    """Verify a claim of robustness: FILE is unchanged, and its network does on random examples what it says. Exit code 1: it does not.

    Every adversarial example is checked to lie in its ball and within the bounds, every figure to follow from the outcomes; random
    examples are evaluated anew, without and under each attack. Nothing is attacked: a stronger attack may exist.
    """
    from orchestrator.audit.bundle.verify import verify as verified

    found = verified(file, weights=weights, examples=examples, seed=seed)
    typer.echo(found.line)
    typer.echo(f"sha256 {found.digest}")
    for note in found.notes:
        typer.echo(note, err=True)
    raise typer.Exit(0 if found.stands else 1)
