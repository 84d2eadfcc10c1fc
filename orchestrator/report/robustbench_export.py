"""Export of models in RobustBench's format: one JSON file each, with the keys of its `model_info` files and README ("Adding a new model").

Unknown values (`link`, `authors`, `venue`) are null, as in the files that RobustBench's own `benchmark` writes. So is
`autoattack_acc` where the attack `autoattack` was not run. Our accuracy is `reported`, and `footnote` describes the attacks behind it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import isclose
from pathlib import Path
from typing import Any

from orchestrator.naming.names import architecture_in_words, counted, model_slug, model_title, slug
from orchestrator.paths import write_atomically
from orchestrator.store import ResultRow
from orchestrator.terminal.escaping import json_text
from workers.errors import UserError
from workers.spec.attack import AFTER
from workers.spec.fields import ExampleOrder, NormName, epsilon_fraction, positive_fraction

_THREAT_MODELS: dict[NormName, str] = {"linf": "Linf", "l2": "L2"}
_ORDERS = {"file": "in file order", "balanced": "of a fixed order in which the classes take turns"}
_SAME = 1e-9


def robustbench_models(
    rows: Sequence[ResultRow], worst: Sequence[ResultRow], *, epsilon: str, norm: NormName, order: ExampleOrder | None = None
) -> dict[Path, dict[str, Any]]:
    """Return the record of each model of a sweep that was attacked in this ball, by path: `cifar10/Linf/NAME.json`.

    Args:
        rows: the sweep's results by attack.
        worst: its worst cases.
        epsilon: as the user writes it, `8/255`, in input units.
        norm: of the ball.
        order: that the first examples must be taken of (None: any); RobustBench itself takes the first of the `file`.

    Raises:
        UserError: `epsilon` is no number, or no model was attacked there, or on examples in that order.
    """
    value = _value(epsilon, norm)
    there = (row for row in worst if row.split == "test" and row.norm == norm)
    attacked = [row for row in there if isclose(row.epsilon, value, rel_tol=0, abs_tol=_SAME)]
    if attacked and order is not None:
        attacked = [row for row in attacked if row.example_order == order]
        if not attacked:
            raise UserError(f"--order {order}: no model was attacked on examples in that order; launch with --set evaluation.order={order}")
    if not attacked:
        tried = ", ".join(
            dict.fromkeys(f"{row.norm} {row.epsilon_literal}" for row in sorted(worst, key=lambda row: (row.norm, row.epsilon)))
        )
        raise UserError(f"--epsilon {epsilon} --norm {norm}: no model was attacked there; there is {tried or 'no attack at all'}")
    by_model = defaultdict(list)
    for row in attacked:
        by_model[row.model_key].append(row)
    chosen = [max(of_model, key=_widest) for of_model in by_model.values()]
    return {Path(slug(row.dataset), _THREAT_MODELS[norm], f"{model_slug(row)}.json"): _record(row, rows, epsilon) for row in chosen}


def write_models(records: dict[Path, dict[str, Any]], folder: Path) -> None:
    """Write the files below the folder, which has the structure of RobustBench's `model_info`.

    Raises:
        UserError: they cannot be written.
    """
    for path, record in records.items():
        write_atomically(folder / path, f"{json_text(record, indent=2)}\n".encode())


def _value(epsilon: str, norm: NormName) -> float:
    try:
        return float(epsilon_fraction(epsilon) if norm == "linf" else positive_fraction(epsilon))
    except ValueError as error:
        raise UserError(f"--epsilon {epsilon}: {error}") from None


def _widest(row: ResultRow) -> tuple[int, bool, int, bool, int]:
    """Return the sort key of a model's worst cases: most examples, those in file order, most draws, attackers of every knowledge, most
    attacks."""
    return row.n_examples, row.example_order == "file", row.draws, row.knowledge == "any", row.attacks


def _record(row: ResultRow, rows: Sequence[ResultRow], epsilon: str) -> dict[str, Any]:
    suite = _suite(row, rows)
    return {
        "link": None,
        "name": model_title(row),
        "authors": None,
        "additional_data": False,
        "number_forward_passes": 1,  # of one prediction; that accuracies are means over several draws does not change it
        "dataset": row.dataset,
        "venue": None,
        "architecture": architecture_in_words(row),
        "eps": epsilon,
        "clean_acc": _percent(row.clean_accuracy),
        "reported": _percent(row.robust_accuracy),
        "autoattack_acc": None if suite is None else _percent(suite.robust_accuracy),
        "footnote": " ".join(_footnote(row, rows)),
        "unreliable": None if row.verdict is None else row.verdict != "sound",
    }


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.2f}"


def _footnote(row: ResultRow, rows: Iterable[ResultRow]) -> Iterable[str]:
    """Yield sentences that define the figures and their limits."""
    attacks = dict.fromkeys(_attack(other) for other in rows if _belongs(other, row))
    over = f"over the first {row.n_examples} test examples {_ORDERS.get(row.example_order, 'of a fixed order')}"
    if row.robust_accuracy is None or row.ci_low is None or row.ci_high is None:
        yield f"Not reported: a randomised model must be evaluated more than once, {over}, by each of {', '.join(attacks)}."
    else:
        interval = f"95% interval {100 * row.ci_low:.2f} to {100 * row.ci_high:.2f}"
        yield f"Reported is the worst case for each example, {over} ({interval}), of these attacks: {', '.join(attacks)}."
    suite = _suite(row, rows)
    if suite is None:
        yield "No AutoAttack accuracy: the suite was not run (attack: autoattack)."
    else:
        yield f"The AutoAttack accuracy is that of version {suite.attack_settings['version']}, in this implementation."
    if row.randomised:
        yield f"Every prediction is randomised; accuracies are means over {row.repeats} x {row.draws} evaluations of each example."
    if row.train_examples is not None:
        yield f"Trained on {row.train_examples} of the training examples."
    if row.verdict is None:
        yield "Its reliability was not judged."
    elif row.reasons:
        yield f"Verdict {row.verdict}: {'; '.join(row.reasons)}."


def _belongs(other: ResultRow, row: ResultRow) -> bool:
    """Return whether an attack's row is among those that the worst case covers."""
    return _same_examples(other, row) and other.attack != "none" and row.knowledge in ("any", other.knowledge)


def _same_examples(other: ResultRow, row: ResultRow) -> bool:
    same = ("model_key", "norm", "split", "n_examples", "evaluation_batch_size", "draws", "example_order")
    return all(getattr(other, name) == getattr(row, name) for name in same) and isclose(other.epsilon, row.epsilon, abs_tol=_SAME)


def _suite(row: ResultRow, rows: Iterable[ResultRow]) -> ResultRow | None:
    """Return the model's row of AutoAttack in this ball: of the version that is meant for it, else of the one that leaves the least."""
    found = [other for other in rows if _same_examples(other, row) and other.attack == "autoattack" and other.robust_accuracy is not None]
    meant = "rand" if row.randomised else "standard"
    return min(found, key=lambda other: (other.attack_settings["version"] != meant, other.robust_accuracy), default=None)


def _attack(row: ResultRow) -> str:
    steps = 1 if row.one_step else row.attack_settings.get("steps")
    more = [] if steps is None else [counted(steps, "step")]
    more += [f"after {row.attack_settings[AFTER]}"] if AFTER in row.attack_settings else []
    more += [f"{row.restarts} restarts"] if row.restarts > 1 else []
    more += [f"target {row.target}"] if row.target != "none" else []
    more += [f"loss {row.loss}"] if row.attack_settings.get("loss", "ce") != "ce" else []
    more += [f"gradients over {row.eot_samples} draws"] if row.eot_samples > 1 else []
    return " ".join([row.attack, row.knowledge, *([f"({', '.join(more)})"] if more else [])])
