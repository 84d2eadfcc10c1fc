"""Conditions of `--where` on the fields of result rows, evaluated by the database where it has them, and on the rows."""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from sqlalchemy import ColumnElement, Connection, not_, or_, select

from orchestrator.naming.own_settings import FIELDS, declared_names, named_settings, value_of
from orchestrator.statistics.verdict import VERDICTS
from orchestrator.store.reading.measured import ANY, WORST_CASE
from orchestrator.store.reading.values import ResultRow
from orchestrator.store.schema.result_tables import AttackResultRecord, TrainedModelRecord
from workers.components.component_registry import Registry
from workers.errors import UserError, did_you_mean
from workers.registry import ATTACKS, DATASETS, DEFENCES, MODELS
from workers.spec.fields import (
    AdversarialTraining,
    BackendName,
    ExampleOrder,
    Knowledge,
    NormName,
    RankKind,
    SignGradientName,
    SketchModes,
    SplitName,
    TargetName,
    fraction,
    positive_fraction,
)

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION = re.compile(r"\s*([\w.]+)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*")
_ALIASES = {**FIELDS, "rank": "rank_fraction", "epsilon_literal": "epsilon"}
_EQUALITIES = ("=", "!=")
_KEYS = ("model_key", "source_key")
_DIGITS = 64
_UNASKED = {"job_keys", "reasons"}
_WORDS: dict[str, tuple[str, ...]] = {
    "adversarial_training": get_args(AdversarialTraining),
    "backend": get_args(BackendName),
    "example_order": get_args(ExampleOrder),
    "knowledge": ("none", *get_args(Knowledge), ANY),
    "norm": ("none", *get_args(NormName)),
    "rank_kind": get_args(RankKind),
    "sign_gradient": get_args(SignGradientName),
    "sketch_modes": get_args(SketchModes),
    "split": get_args(SplitName),
    "target": get_args(TargetName),
    "verdict": VERDICTS,
}
"""The values of fields that have no others, whatever components there are."""
_COMPONENTS: dict[str, tuple[Registry[Any], Any, tuple[str, ...]]] = {
    "attack": (ATTACKS, AttackResultRecord.attack, ("none", WORST_CASE)),
    "dataset": (DATASETS, TrainedModelRecord.dataset, ()),
    "defence": (DEFENCES, TrainedModelRecord.defence, ()),
    "model": (MODELS, TrainedModelRecord.model, ()),
}
"""For each field that names components, those that are installed, the column with those that have results, and what else it may say."""
_COMMA = re.compile(r",(?![^\[]*\])")  # between values, not in a list
_TRUTH = {"true": True, "false": False}
_TYPES = {name: hint for name, hint in get_type_hints(ResultRow).items() if name not in _UNASKED and "dict" not in str(hint)}


@dataclass(frozen=True)
class Condition:
    """Condition `field operator value`, or for `=` and `!=` several values: one of them, or none of them. None is an empty field."""

    field: str
    symbol: str
    values: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.field}{self.symbol}{','.join(map(str, self.values))}"

    def holds(self, row: ResultRow) -> bool:
        """Tell if the row meets it; see `holds_for`."""
        return self.holds_for(value_of(row, self.field))

    def holds_for(self, found: Any) -> bool:
        """Tell if a value meets it; no value meets no comparison of size. Keys may be given by their first digits."""
        if self.symbol in _EQUALITIES:
            return any(self._is(found, value) for value in self.values) == (self.symbol == "=")
        return isinstance(found, int | float) and bool(_OPERATORS[self.symbol](found, self.values[0]))

    def among(self, rows: Iterable[Any]) -> "Condition":
        """The same on a field, or on the one setting that these rows call so; see `field_name`."""
        return self if self.is_of_field else replace(self, field=field_name(self.field, rows))

    @property
    def is_of_field(self) -> bool:
        """True where it is on a field that every row has."""
        return self.field in _TYPES

    @property
    def is_of_whole_keys(self) -> bool:
        """True where it names all that it holds for, by keys of which no digit is left out."""
        return self.field in _KEYS and self.symbol == "=" and all(value is not None and len(value) == _DIGITS for value in self.values)

    def _is(self, found: Any, value: Any) -> bool:
        if isinstance(found, list | tuple):
            parts = tuple(_literal(part) if isinstance(part, str) else part for part in found)
            return parts == value if isinstance(value, tuple) else set(parts) == {value}
        return bool(found.startswith(value)) if self.field in _KEYS and found and value else bool(found == value)

    def clause(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the same condition on a column of the database."""
        if self.symbol not in _EQUALITIES:
            compared: ColumnElement[bool] = _OPERATORS[self.symbol](column, self.values[0])
            return compared
        if self.is_of_whole_keys:
            return column.in_(self.values)
        found = or_(*(self._equals(column, value) for value in self.values))
        if self.symbol == "=":
            return found
        return not_(found) if None in self.values else or_(not_(found), column.is_(None))

    def _equals(self, column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
        if value is None:
            return column.is_(None)
        return column.startswith(value, autoescape=True) if self.field in _KEYS else column == value


def parse_conditions(texts: Sequence[str]) -> tuple[Condition, ...]:
    """Parse conditions as users write them: `theta=0.9`, `attack=pgd,bim`, `epsilon<=8/255`, `rank=none`.

    Raises:
        UserError: not of that form, no such field, or a value that the field cannot have.
    """
    return tuple(_parsed(text) for text in texts)


def field_name(name: str, rows: Iterable[Any] = ()) -> str:
    """The field of a result row, or the setting with its section, that users call so.

    Args:
        name: a field's, or a setting's as a space has it, `training.learning_rate`, or without its section where only one has it.
        rows: which may have settings of components that are not installed here.

    Raises:
        UserError: there is none, or there are several.
    """
    field = _field(name)
    if field in _TYPES:
        return field
    found = named_settings(field, rows)
    if len(found) > 1:
        raise UserError(f"'{name}': several settings are called so; one of {', '.join(found)}")
    if not found:
        legal = sorted({*_TYPES, *declared_names()})
        raise UserError(f"'{name}': no field of the results; one of {', '.join(legal)}{did_you_mean(name, legal)}")
    return found[0]


def require_known_words(connection: Connection, where: Sequence[Condition]) -> None:
    """Check that the components that conditions name are installed, or that the store has results of them.

    Raises:
        UserError: a name is unknown.
    """
    for condition in where:
        registry, column, others = _COMPONENTS.get(condition.field, (None, None, ()))
        if registry is None or column is None:
            continue
        known = {*registry.names()}
        if not {*known, *others}.issuperset(condition.values):
            known |= set(connection.execute(select(column).distinct()).scalars())
        legal = [*others[:1], *sorted(known), *others[1:]]
        for word in condition.values:
            if word not in legal:
                meant = did_you_mean(word, legal)
                raise UserError(f"--where '{condition}': '{word}' is no {condition.field}; one of {', '.join(legal)}{meant}")


def _field(name: str) -> str:
    """The field of rows of that name; a name that is none as it is, with the section that a space has."""
    said = f"attacks.{name.removeprefix('attack.')}" if name.startswith("attack.") else name
    return _ALIASES.get(said, said)


def _parsed(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise UserError(f"--where '{text}': must be FIELD=VALUE[,VALUE...], or with !=, <, <=, > or >=")
    name, symbol, given = match.groups()
    field = _field(name)
    words = _COMMA.split(given) if symbol in _EQUALITIES else [given]
    values = tuple(_value(field, word.strip(), text) for word in words)
    if symbol not in _EQUALITIES and isinstance(values[0], str | bool | NoneType):
        raise UserError(f"--where '{text}': {field} is no number; = and != compare it")
    return Condition(field, symbol, values)


def _value(field: str, word: str, text: str) -> Any:
    if (hint := _TYPES.get(field)) is None:
        return _literal(word)
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if NoneType in kinds and word in ("none", "null", ""):
        return None
    if bool in kinds:
        if word not in _TRUTH:
            raise UserError(f"--where '{text}': {field} is true or false")
        return _TRUTH[word]
    if int in kinds or float in kinds:
        try:
            return float(positive_fraction(word) if field == "epsilon" and fraction(word) > 0 else fraction(word))
        except ValueError as error:
            raise UserError(f"--where '{text}': {field} {error}") from None
    if word not in _WORDS.get(field, (word,)):
        raise UserError(f"--where '{text}': '{word}' is no {field}; one of {', '.join(_WORDS[field])}")
    return word


def _literal(word: str) -> Any:
    """The value of a setting whose type is its component's: nothing, a truth value, a number, a list of these, or else a word."""
    if word.startswith("[") and word.endswith("]"):
        return tuple(_literal(part.strip()) for part in word[1:-1].split(","))
    if word in ("none", "null", ""):
        return None
    if word in _TRUTH:
        return _TRUTH[word]
    try:
        return float(fraction(word))
    except ValueError:
        return word
