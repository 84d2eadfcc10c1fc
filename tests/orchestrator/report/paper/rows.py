"""Result rows that a published figure is met by, made from one that the store has returned."""

from typing import Any

from orchestrator.report.paper.published import PublishedFigure, published_tables
from orchestrator.report.paper.setups import PAPER_WIDTHS
from orchestrator.store import ResultRow
from search_spaces import paper_steps
from tests.orchestrator.changed_rows import changed
from tests.orchestrator.store.stored import stored_row
from workers.registry import ATTACKS
from workers.spec.fields import epsilon_fraction


def cell_at(number: int, row: str, column: str) -> PublishedFigure:
    """The cell of a table by its row's title (`FGSM 2`) and its column's label."""
    table = published_tables()[number - 1]
    titles = [row.title for row in table.rows]
    labels = [column.label for column in table.columns]
    return table.cells[titles.index(row)][labels.index(column)]


def row_for(cell: PublishedFigure, *, accuracy: float = 0.5, half_width: float = 0.1, **changes: Any) -> ResultRow:
    """A row of the paper's size that meets the cell, with `changes`; its interval reaches `half_width` to both sides of `accuracy`."""
    named = ("dataset", "model", "theta", "binary", "tensorized", "defence", "adversarial_training", "sign_gradient")
    model = {name: getattr(cell, name) for name in named} | {"defence_settings": cell.defence_settings or None}
    size = {
        "sweep": "full",
        "width": PAPER_WIDTHS[cell.model],
        "train_examples": None,
        "seed": 0,
        "n_examples": 10_000,
        "evaluation_batch_size": 256,
    }
    rank = {"rank_fraction": 0.5 if cell.tensorized else None, "rank_kind": "channels", "sketch_modes": "channels", "rescale": True}
    training = {"epochs": 30, "stage": "pretrain" if cell.theta == 1 else "fine_tune"}
    interval = (accuracy, max(0.0, accuracy - half_width), min(1.0, accuracy + half_width))
    clean = dict(zip(("clean_accuracy", "clean_ci_low", "clean_ci_high"), interval, strict=True))
    robust = dict(zip(("robust_accuracy", "ci_low", "ci_high"), interval, strict=True))
    key = f"{cell.theta}{cell.binary}{cell.defence}{cell.adversarial_training}{changes.get('rank_fraction', 0.5)}"
    keys = {"model_key": key, "job_keys": (f"{key}{cell.group}{cell.row}{cell.column}",), "repeats": 10, "repeat": None}
    papers = changed(stored_row(), **model, **size, **rank, **training, **clean, **robust, **keys, **_attack(cell))
    return changed(papers, **changes)


def _attack(cell: PublishedFigure) -> dict[str, Any]:
    usual = {"norm": "linf", "loss": "ce", "target": "none", "restarts": 1, "early_stop": False, "backend": "native"}
    if cell.epsilon is None:
        return {**usual, "attack": "fgsm", "knowledge": "randomized", "epsilon": 1 / 255}
    epsilon = epsilon_fraction(cell.epsilon)
    steps = {"steps": paper_steps(epsilon), "abs_stepsize": 1 / 255}
    return {
        **usual,
        "attack": cell.attack,
        "knowledge": cell.knowledge,
        "epsilon": float(epsilon),
        "epsilon_literal": cell.epsilon,
        **{name: value for name, value in steps.items() if name in ATTACKS[cell.attack].settings.model_fields},
    }


def rows_for(number: int, **changes: Any) -> list[ResultRow]:
    """A row for each cell of a table."""
    return [row_for(cell, **changes) for row in published_tables()[number - 1].cells for cell in row]
