"""Matching of the cells of two sweeps, independent of the database.

A cell is a model under an attack (or clean), by all its settings. Two sweeps mostly differ on purpose, in one setting: a setting that has
one value throughout the one sweep and another throughout the other distinguishes no cells of either, and is what the user wants to
compare. All that varies within a sweep identifies its cells.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from orchestrator.naming.names import KEY_DIGITS
from orchestrator.naming.own_settings import hashable, own_names
from orchestrator.naming.varying_axes import rank_in_words

CellSettings = Mapping[str, Any]

_SAME_EXAMPLES = frozenset({"data.name", "data.split_lists", "evaluation.order"})
"""Settings on which the test examples depend; models that were not evaluated on the same ones cannot be compared."""
_IDENTITY = _SAME_EXAMPLES | {"seed", "attack", "knowledge", "norm", "epsilon", "target", "source"}
"""Settings that always identify cells where they vary."""
_IDENTIFYING_SECTIONS = ("model.", "defence.")


def identity(before: Sequence[CellSettings], after: Sequence[CellSettings]) -> frozenset[str]:
    """Return the names of the settings in which cells of both sweeps must agree to be compared.

    Left out are those that have a single value in each sweep, and one that differs. Left out are also those that take other values in
    the one sweep than in the other, if cells are distinct without them and they only describe how something was trained, attacked or
    evaluated: a learning rate may depend on the network, a number of steps on epsilon.
    """
    values = {name: (_values(before, name), _values(after, name)) for name in sorted({name for cell in (*before, *after) for name in cell})}
    differing = [name for name, (left, right) in values.items() if left != right and name not in _SAME_EXAMPLES]
    kept = set(values) - {name for name in differing if all(len(side) <= 1 for side in values[name])}
    for name in differing:
        if name in kept and _is_detail(name) and all(_tells_apart(kept - {name}, cells) for cells in (before, after)):
            kept.remove(name)
    return frozenset(kept)


def _is_detail(name: str) -> bool:
    return name not in _IDENTITY and not name.startswith(_IDENTIFYING_SECTIONS)


def _values(cells: Iterable[CellSettings], name: str) -> set[Hashable]:
    return {hashable(cell[name]) for cell in cells if name in cell}


def _tells_apart(names: Iterable[str], cells: Sequence[CellSettings]) -> bool:
    names = sorted(names)
    return len({key_of(cell, names) for cell in cells}) == len(cells)


def key_of(cell: CellSettings, names: Iterable[str]) -> tuple[Hashable, ...]:
    """Return the values of these settings, None where the cell has no such setting."""
    return tuple(hashable(cell.get(name)) for name in names)


def _best_known() -> list[str]:
    """Return the settings by which people know cells, the best known first."""
    network = (f"model.{name}" for name in own_names(sections=["model"]))
    return [
        *("data.name", "model.name", *network, "model.tensorized", "model.rank_fraction", "model.theta", "model.binary"),
        *("defence.name", "training.adversarial_training", "fine_tuning.adversarial_training", "seed"),
        *("attack", "knowledge", "source", "norm", "epsilon", *own_names(sections=["attacks"])),
    ]


def telling(cells: Sequence[CellSettings], names: Iterable[str]) -> list[str]:
    """Return the fewest of the settings, the best known first, that distinguish all of the cells that can be distinguished."""
    given, first = set(names), _best_known()
    chosen: list[str] = []
    groups: int = min(len(cells), 1)
    for name in [name for name in first if name in given] + sorted(given - set(first)):
        number = len({key_of(cell, [*chosen, name]) for cell in cells})
        if number > groups:
            chosen.append(name)
            groups = number
    return chosen


_NAMED = ("binary", "rank_fraction", "rank_fractions", "theta", "seed")


def source_in_words(models: Mapping[str, Mapping[str, Any]], *, of: str, source: str) -> str:
    """Describe the differences of the source in a few words, `theta=1 undefended` or `dense`; the first digits of its key where it is not
    among the models, or differs in none of the named settings.

    Args:
        models: the columns of trained models, by job key.
        of: the attacked model's key, among `models`.
        source: the key of the model that the examples were made on.
    """
    words = list(_differences(models[of], models[source])) if source in models else []
    return " ".join(words) or source[:KEY_DIGITS]


def _differences(model: Mapping[str, Any], source: Mapping[str, Any]) -> list[str]:
    changed = {name for name in source if source[name] != model[name]}
    if dense := "tensorized" in changed and not source["tensorized"]:
        changed -= {"rank_fraction", "rank_fractions", "theta"}  # a dense net has neither rank nor sketch
    words = ["dense"] if dense else []
    words += [f"model={source['model']}"] if "model" in changed else []
    words += [f"{name}={_word(value)}" for name, value in source["model_settings"].items() if model["model_settings"].get(name) != value]
    words += [f"{name.removesuffix('_fraction')}={_word(source[name])}" for name in _NAMED if name in changed]
    return words + _defences(changed, source)


def _defences(changed: set[str], source: Mapping[str, Any]) -> list[str]:
    """Describe the source's defences where they differ; `undefended` where it has none at all."""
    named = {"defence": source["defence"], "adversarial": source["adversarial_training"]}
    if changed & {"defence", "adversarial_training"} and set(named.values()) == {"none"}:
        return ["undefended"]
    different = {"defence": changed & {"defence", "defence_settings"}, "adversarial": "adversarial_training" in changed}
    return [f"{name}={value}" for name, value in named.items() if different[name]]


def _word(value: object) -> str:
    if isinstance(value, dict):
        return rank_in_words(None, value)
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
