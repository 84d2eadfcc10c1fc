"""Grouping of result rows into figures, and into the lines of a figure."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from statistics import fmean
from typing import Any

from orchestrator.naming.names import KEY_DIGITS
from orchestrator.naming.own_settings import hashable, own_names, value_of
from orchestrator.naming.varying_axes import settings_of
from orchestrator.report.figures.looks import Look, looks
from orchestrator.store import ResultRow
from orchestrator.store.reading.measured import Setting
from orchestrator.tables.result_columns import ResultColumns

_ALWAYS = ("attack", "knowledge", "norm", "target", "split", "n_examples", "evaluation_batch_size", "example_order")
_STEPPED = ("steps", "abs_stepsize")
_FACTS = ("attack_settings", "takes_gradients", "random_start", "selects", "one_step")
_SILENT = {"norm": "linf", "target": "none"}
_WORDS = {
    "n_examples": "{} examples",
    "evaluation_batch_size": "{} examples a draw",
    "example_order": "{} order",
    "abs_stepsize": "step size {:.4g}",
    "eot_samples": "{} EOT samples",
    "steps": "{} steps",
    "restarts": "{} restarts",
    "norm": "{}",
    "split": "on {}",
    "attack": "{}",
    "knowledge": "{}",
}
_always = attrgetter(*_ALWAYS)
Line = tuple[str, str, str]


@dataclass(frozen=True)
class AttackCondition:
    """Group of rows with the same attack, knowledge and so on; within it a model has one row for each epsilon."""

    label: str
    rows: list[ResultRow]


def conditions(rows: Iterable[ResultRow], *, by_epsilon: bool) -> list[AttackCondition]:
    """Group the rows with a robust accuracy by condition (and epsilon, `by_epsilon`), in the order in which they come.

    Attack, knowledge, norm, target and the examples always distinguish conditions. Any other setting does if one model has rows that
    differ in it: rows of different settings are never joined by a line, while a setting that only varies with the model (such as the
    EOT samples, 1 on a deterministic model) does not separate the models.
    """
    return _Grouped.of([row for row in rows if row.robust_accuracy is not None]).conditions(by_epsilon=by_epsilon)


@dataclass(frozen=True, kw_only=True)
class _Grouped:
    """Attacked rows by what tells their conditions apart: the names of it, by what always does, and the values of each row."""

    telling: Mapping[tuple[Hashable, ...], tuple[str, ...]]
    rows: Sequence[tuple[tuple[Hashable, ...], ResultRow]]

    @classmethod
    def of(cls, attacked: Sequence[ResultRow]) -> "_Grouped":
        telling = _telling(attacked)
        keyed = [(_always(row), row) for row in attacked]
        return cls(telling=telling, rows=[((*always, *_values(row, telling[always])), row) for always, row in keyed])

    def conditions(self, *, by_epsilon: bool) -> list[AttackCondition]:
        """Return the conditions, one for each epsilon if they are asked for `by_epsilon`."""
        groups: dict[Hashable, list[ResultRow]] = defaultdict(list)
        for values, row in self.rows:
            groups[values, row.epsilon if by_epsilon else None].append(row)
        shown = {name for name in _ALWAYS if len({getattr(row, name) for _, row in self.rows}) > 1}
        return [
            AttackCondition(_label(found[0], shown.union(self.telling[_always(found[0])]), by_epsilon=by_epsilon), found)
            for found in groups.values()
        ]


def _values(row: ResultRow, names: Sequence[str]) -> tuple[Hashable, ...]:
    return tuple(hashable(value_of(row, name)) for name in names)


class FigureRows:
    """Result rows with what several figures and tables of them ask: each is found once."""

    def __init__(self, rows: Sequence[ResultRow]) -> None:
        self.rows = rows
        self._attacked = [row for row in rows if row.robust_accuracy is not None]

    @classmethod
    def of(cls, rows: "Sequence[ResultRow] | FigureRows") -> "FigureRows":
        """The rows with what is known of them."""
        return rows if isinstance(rows, FigureRows) else cls(rows)

    @cached_property
    def looks(self) -> "dict[Line, Look]":
        """The looks of their lines; see `line_looks`."""
        return line_looks(self.rows)

    @cached_property
    def models(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The settings of their models; see `model_settings`."""
        return model_settings(self.rows)

    @cached_property
    def columns(self) -> ResultColumns:
        """Their columns in tables."""
        return ResultColumns(self.rows)

    @cached_property
    def words(self) -> "Words":
        """The settings of each row with a robust accuracy in words, under the names that tell them apart in all of them."""
        columns = self.columns if len(self._attacked) == len(self.rows) else ResultColumns(self._attacked)
        return dict(zip(map(id, self._attacked), columns.measured_with(), strict=True))

    def conditions(self, *, by_epsilon: bool) -> list[AttackCondition]:
        """Their conditions; see `conditions`."""
        return self._grouped.conditions(by_epsilon=by_epsilon)

    @cached_property
    def _grouped(self) -> _Grouped:
        return _Grouped.of(self._attacked)


def line_of(row: ResultRow) -> Line:
    """Return the key of a line: one model of one sweep and, for transferred examples, their source model."""
    return row.sweep, row.model_key, row.source_key or ""


def line_looks(rows: Sequence[ResultRow]) -> dict[Line, Look]:
    """Return the look of each line, by the settings in which the models, and the sources of transferred examples, differ."""
    models = model_settings(rows)
    lines = {line_of(row): row for row in rows}
    sources = {line: {"attacks.source": row.source or row.source_key[:KEY_DIGITS]} for line, row in lines.items() if row.source_key}
    return looks({line: models[line[:2]] | sources.get(line, {}) for line in lines})


def model_settings(rows: Iterable[ResultRow]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the settings of the models of these rows, by sweep and key; see `settings_of`."""
    return {model: settings_of(row) for model, row in {(row.sweep, row.model_key): row for row in rows}.items()}


def best_models(rows: Sequence[ResultRow], *, most: int = 6) -> list[str]:
    """Return the keys of the models that are most accurate on average under all attacks, the best first."""
    shares: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.robust_accuracy is not None:
            shares[row.model_key].append(row.robust_accuracy)
    return sorted(shares, key=lambda key: -fmean(shares[key]))[:most]


Hover = tuple[list[str], list[list[str]]]
"""The settings of a condition's rows in words: those that all of them share, and for each row the others."""


Words = dict[int, list[str]]
"""The settings of attacked rows in words, by the rows' ids."""


def hover_settings(condition: AttackCondition, words: Words) -> Hover:
    """Return the settings of the rows of a condition, in these words."""
    return _shared([words[id(row)] for row in condition.rows])


def _shared(each: Sequence[list[str]]) -> Hover:
    shared = set(each[0]).intersection(*each)
    return [cell for cell in each[0] if cell in shared], [[cell for cell in said if cell not in shared] for said in each]


def _telling(rows: Sequence[ResultRow]) -> dict[tuple[Hashable, ...], tuple[str, ...]]:
    names = dict.fromkeys([*(field.name for field in fields(Setting)), *own_names(rows, ("attacks",))])
    others = tuple(name for name in names if name not in (*_ALWAYS, *_STEPPED, *_FACTS, "epsilon", "source_key"))
    settings: dict[tuple[Hashable, ...], dict[Hashable, list[ResultRow]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        settings[_always(row)][line_of(row)].append(row)
    return {group: (*_differing(found.values(), others), *_stepping(found.values(), others)) for group, found in settings.items()}


def _differing(of_lines: Iterable[Sequence[ResultRow]], names: Sequence[str]) -> list[str]:
    """Return those of the names in whose values rows of one line differ; what is no field of a row is a setting of its attack's own."""
    own = {name: name.removeprefix("attacks.") for name in names if not _is_field(name)}
    differing: set[str] = set()
    for rows in (rows for rows in of_lines if len(rows) > 1):
        differing |= {name for name in names if _is_field(name) and len({getattr(row, name) for row in rows}) > 1}
        held = {hashable(row.attack_settings): row.attack_settings for row in rows}.values()
        if len(held) > 1:
            differing |= {name for name, short in own.items() if len({hashable(settings.get(short)) for settings in held}) > 1}
    return [name for name in names if name in differing]


def _is_field(name: str) -> bool:
    return name in ResultRow.__dataclass_fields__


def _stepping(of_lines: Iterable[Sequence[ResultRow]], others: Sequence[str]) -> list[str]:
    """Return the step settings that distinguish conditions: only those with several values at one epsilon, as the paper's vary with it."""
    read = attrgetter(*filter(_is_field, others))
    same: dict[Hashable, list[ResultRow]] = defaultdict(list)
    for rows in of_lines:
        for row in rows:
            own = hashable({name: value for name, value in row.attack_settings.items() if name not in _STEPPED})
            same[line_of(row), row.epsilon, read(row), own].append(row)
    return _differing(same.values(), _STEPPED)


def _label(row: ResultRow, shown: set[str], *, by_epsilon: bool) -> str:
    said = ["attack", "knowledge", *(name for name in sorted(shown) if name not in ("attack", "knowledge"))]
    words = [_word(row, name) for name in said if value_of(row, name) != _SILENT.get(name)]
    head = f"{words[0]} {row.epsilon_literal}" if by_epsilon else words[0]
    return ", ".join([head, *words[1:]])


def _word(row: ResultRow, name: str) -> str:
    value = value_of(row, name)
    return _WORDS.get(name, f"{name.replace('_', ' ')} {{}}").format(value)
