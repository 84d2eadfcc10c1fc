"""Comparison of two sweeps: their measurements on corresponding models under corresponding attacks, and the differences."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sqlalchemy import Connection

from orchestrator.statistics.differences import paired_difference
from orchestrator.statistics.intervals import ConfidenceInterval, Correct
from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.store.connection.session import Store, sweep_id
from orchestrator.store.reading.counterparts import identity, key_of, source_in_words
from orchestrator.store.reading.measured import Measurement, Setting
from orchestrator.store.reading.measurements import as_measurements, described_models, measured_in
from orchestrator.store.reading.varying_settings import measured_settings, model_settings
from orchestrator.store.schema.result_tables import AttackResultRecord, CleanResultRecord
from workers.errors import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One sweep's part of a cell: a model under one attack, or clean, by all its settings; `correct` are the flags,
    (repeats, draws, examples), `draws` what shares a draw in them, and `accuracy` their mean over the examples that both sweeps
    evaluated."""

    model_key: str
    job_keys: tuple[str, ...]
    settings: Mapping[str, Any]
    epsilon_literal: str
    accuracy: float
    draws: SharedDraws
    correct: Correct = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedCell:
    """Corresponding parts of two sweeps. `difference` is that of the accuracies, in [-1, 1], with its 95 % interval, paired over the
    first `examples` of the test examples; None where only one sweep has the cell, and where both share its jobs (`same_jobs`)."""

    before: Side | None
    after: Side | None
    examples: int
    same_jobs: bool = False
    difference: ConfidenceInterval | None = None

    @property
    def side(self) -> Side:
        """Side that exists, the first of two."""
        found = self.before or self.after
        assert found is not None  # noqa: S101 (every cell has a side)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Setting in which compared cells differ, with all the pairs of values that it has in them."""

    setting: str
    values: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Comparison of two sweeps by cells. `identity` are the settings in which the sides of a cell agree, `changes` those in which not."""

    before: str
    after: str
    identity: frozenset[str]
    changes: tuple[Change, ...]
    cells: tuple[PairedCell, ...]


def compare_sweeps(store: Store, before: str, after: str) -> Comparison:
    """Compare what two sweeps' spaces hold now, clean accuracies first. See `counterparts.py` for what corresponds.

    Raises:
        UserError: no such sweep, or one and the same.
    """
    if before == after:
        raise UserError(f"compare {before} {after}: must be two sweeps")
    with store.reading() as connection:
        numbers = [sweep_id(connection, name) for name in (before, after)]
        found = [(_sides(connection, CleanResultRecord, number), _sides(connection, AttackResultRecord, number)) for number in numbers]
    cells: list[PairedCell] = []
    names: frozenset[str] = frozenset()
    for mine, theirs in zip(*found, strict=True):
        agreeing = identity([side.settings for side in mine], [side.settings for side in theirs])
        cells += _cells(mine, theirs, sorted(agreeing))
        names |= agreeing
    return Comparison(before=before, after=after, identity=names, changes=_changes(cells), cells=tuple(cells))


def _sides(connection: Connection, record: type[CleanResultRecord | AttackResultRecord], sweep: int) -> list[Side]:
    """Return the measurements in the sweep's space, one side for each model and setting, of models that were trained to the end."""
    rows = connection.execute(measured_in(record, sweep))
    groups: defaultdict[tuple[str, Setting], list[Measurement]] = defaultdict(list)
    for item in sorted(as_measurements(rows), key=lambda item: (item.repeat, item.job_key)):
        groups[item.model_key, item.setting].append(item)
    sources = [setting.source_key for _, setting in groups if setting.source_key is not None]
    models = described_models(connection, [*{key for key, _ in groups}, *sources])
    described = model_settings(connection, {key for key, _ in groups})
    whole = {key for key, model in models.items() if model["until"] is None}
    return [_side(key, setting, items, described[key], models) for (key, setting), items in groups.items() if key in whole]


def _side(
    key: str, setting: Setting, items: Sequence[Measurement], described: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]
) -> Side:
    source = None if setting.source_key is None else source_in_words(models, of=key, source=setting.source_key)
    correct = np.stack([item.correct for item in items])
    return Side(
        model_key=key,
        job_keys=tuple(item.job_key for item in items),
        settings={**described, **measured_settings(setting, source=source)},
        epsilon_literal=items[0].epsilon_literal,
        accuracy=float(correct.mean()),
        correct=correct,
        draws=setting.shared_draws,
    )


def _cells(before: Sequence[Side], after: Sequence[Side], names: Sequence[str]) -> list[PairedCell]:
    left = {key_of(side.settings, names): side for side in before}
    right = {key_of(side.settings, names): side for side in after}
    return [_cell(left.get(key), right.get(key)) for key in dict.fromkeys([*left, *right])]


def _cell(before: Side | None, after: Side | None) -> PairedCell:
    if before is None or after is None:
        side = before or after
        return PairedCell(before=before, after=after, examples=0 if side is None else side.correct.shape[2])
    examples = min(before.correct.shape[2], after.correct.shape[2])
    before, after = _first(before, examples), _first(after, examples)
    if set(before.job_keys) & set(after.job_keys):
        return PairedCell(before=before, after=after, examples=examples, same_jobs=True)
    return PairedCell(
        before=before,
        after=after,
        examples=examples,
        difference=paired_difference(before.correct, after.correct, (before.draws, after.draws)),
    )


def _first(side: Side, examples: int) -> Side:
    """Return the side on the first of its examples: the order of the test examples is fixed."""
    correct = side.correct[:, :, :examples]
    return replace(side, correct=correct, accuracy=float(correct.mean()))


def _changes(cells: Iterable[PairedCell]) -> tuple[Change, ...]:
    """Return the settings that differ within compared cells. Of a training that only one side has, only the epochs are listed."""
    found: defaultdict[str, dict[str, tuple[Any, Any]]] = defaultdict(dict)
    for cell in cells:
        if cell.difference is None or cell.before is None or cell.after is None:
            continue
        left, right = cell.before.settings, cell.after.settings
        for name in sorted({*left, *right}):
            absent = name not in left or name not in right
            if left.get(name) != right.get(name) and not (absent and "." in name and not name.endswith(".epochs")):
                pair = left.get(name), right.get(name)
                found[name][repr(pair)] = pair
    return tuple(Change(setting=name, values=tuple(pairs.values())) for name, pairs in sorted(found.items()))
