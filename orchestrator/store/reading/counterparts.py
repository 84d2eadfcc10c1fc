"""Matching of the cells of two sweeps, independent of the database.

A cell is a model under an attack (or clean), by all its settings. Two sweeps mostly differ on purpose, in one setting: a setting that has
one value throughout the one sweep and another throughout the other distinguishes no cells of either, and is what the user wants to
compare. All that varies within a sweep identifies its cells.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from orchestrator.own_settings import hashable

Settings = Mapping[str, Any]

_SAME_EXAMPLES = frozenset({"data.name", "data.split_lists"})
"""Settings on which the test examples depend; models that were not evaluated on the same ones cannot be compared."""
_IDENTITY = _SAME_EXAMPLES | {"seed", "attack", "knowledge", "norm", "epsilon", "target", "source"}
"""Settings that always identify cells where they vary."""
_IDENTIFYING_SECTIONS = ("model.", "defence.")


def identity(before: Sequence[Settings], after: Sequence[Settings]) -> frozenset[str]:
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


def _values(cells: Iterable[Settings], name: str) -> set[Hashable]:
    return {hashable(cell[name]) for cell in cells if name in cell}


def _tells_apart(names: Iterable[str], cells: Sequence[Settings]) -> bool:
    names = sorted(names)
    return len({key_of(cell, names) for cell in cells}) == len(cells)


def key_of(cell: Settings, names: Iterable[str]) -> tuple[Hashable, ...]:
    """Return the values of these settings, None where the cell has no such setting."""
    return tuple(hashable(cell.get(name)) for name in names)


_FIRST = (
    *("data.name", "model.name", "model.width", "model.tensorized", "model.rank_fraction", "model.theta", "model.binary"),
    *("defence.name", "training.adversarial_training", "fine_tuning.adversarial_training", "seed"),
    *("attack", "knowledge", "source", "norm", "epsilon", "steps"),
)


def telling(cells: Sequence[Settings], names: Iterable[str]) -> list[str]:
    """Return the fewest of the settings, the best known first, that distinguish all of the cells that can be distinguished."""
    rest = sorted(set(names) - set(_FIRST))
    chosen: list[str] = []
    groups: int = min(len(cells), 1)
    for name in [name for name in _FIRST if name in set(names)] + rest:
        number = len({key_of(cell, [*chosen, name]) for cell in cells})
        if number > groups:
            chosen.append(name)
            groups = number
    return chosen
