"""Adversarial examples of a sweep as picture grids, a few of each attack that keeps them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from orchestrator.store import Store
from orchestrator.store.reading.keeping_attacks import keeping_attacks
from orchestrator.tables.templates import fill
from orchestrator.terminal import hints
from workers.artifacts.artifacts import Artifacts
from workers.errors import ArtifactError, UserError

if TYPE_CHECKING:
    from orchestrator.report.examples.attacked import AttackedExamples

_PACKAGE = "orchestrator.report"
_MOST_ATTACKS, _MOST_EXAMPLES = 12, 4


@dataclass(frozen=True)
class ExampleGrid:
    """A few examples of one attack on one model, which `description` names, and the key of its job."""

    job_key: str
    description: str
    found: "AttackedExamples"


def example_grids(store: Store, artifacts: Artifacts, sweep: str) -> tuple[list[ExampleGrid], list[str]]:
    """Return the examples that attacks of the sweep keep, of the first attacks where there are many, and lines on what is not among them.

    Raises:
        UserError: no such sweep.
    """
    grids, notes = [], []
    attacks = keeping_attacks(store, sweep)
    if attacks:
        from orchestrator.report.examples.attacked import attacked_examples  # here: few sweeps keep any
    for attack in attacks[:_MOST_ATTACKS]:
        try:
            found = attacked_examples(store, artifacts, attack.job_key, root=None).first(_MOST_EXAMPLES)
            grids.append(ExampleGrid(attack.job_key, attack.description, found))
        except (ArtifactError, UserError) as error:
            notes.append(f"Left out: {error}")
    if len(attacks) > _MOST_ATTACKS:
        draw = hints.command("examples", "KEY", at=store.address)
        notes.append(f"{_MOST_ATTACKS} of {len(attacks)} attacks that keep examples; `{draw}` draws any of them.")
    return grids, notes


def grids_html(grids: list[ExampleGrid], notes: list[str]) -> Markup:
    """Return the section of a report; where no attack keeps examples, a line that says what would fill it."""
    if grids:
        from orchestrator.report.examples.grid_files import fragment
    shown = [
        (grid.description, grid.found.note, hints.command("examples", grid.job_key[:8]), fragment(grid.found.lines, heard=False))
        for grid in grids
    ]
    return fill("example_grids.html", package=_PACKAGE, grids=shown, notes=notes)
