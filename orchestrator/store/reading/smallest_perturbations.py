"""Smallest perturbations that minimum-norm attacks found of each example: one attack's say how accurate a model is at every epsilon."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from orchestrator.store.connection.session import Store, rows_in
from orchestrator.store.reading.values import ResultRow
from orchestrator.store.schema.result_tables import AttackResultRecord
from workers.artifacts.per_example import unpacked_numbers
from workers.registry import ATTACKS
from workers.spec.attack import AFTER


@dataclass(frozen=True, kw_only=True, slots=True)
class SmallestPerturbations:
    """Sizes of the smallest perturbations of a row's attack that fooled its model, over all its repeats, (examples,), in its norm and input
    units: 0 where the example is misclassified as it is, infinite where none fooled it."""

    row: ResultRow
    sizes: NDArray[np.float64]


def smallest_perturbations(store: Store, rows: Sequence[ResultRow]) -> list[SmallestPerturbations]:
    """Return what the rows' minimum-norm attacks found, where it holds at every epsilon.

    It does not where the attack stopped at its own epsilon (`early_stop`) or was given what others had left, and on a randomised model
    what fooled it once need not do so again.
    """
    wanted = [row for row in rows if _holds_everywhere(row)]
    found = _sizes(store, (key for row in wanted for key in row.job_keys))
    known = [(row, [found[key] for key in row.job_keys if key in found]) for row in wanted]
    return [SmallestPerturbations(row=row, sizes=np.minimum.reduce(sizes)) for row, sizes in known if len(sizes) == len(row.job_keys)]


def _holds_everywhere(row: ResultRow) -> bool:
    attack = ATTACKS.find(row.attack)
    return attack is not None and attack.facts.minimises and not (row.randomised or row.early_stop or AFTER in row.attack_settings)


def _sizes(store: Store, keys: Iterable[str]) -> dict[str, NDArray[np.float64]]:
    statement = select(AttackResultRecord.job_key, AttackResultRecord.sizes)
    with store.reading() as connection:
        packed = dict(rows_in(connection, statement, AttackResultRecord.job_key, keys))
    return {key: sizes for key, found in packed.items() if (sizes := unpacked_numbers(found)) is not None}
