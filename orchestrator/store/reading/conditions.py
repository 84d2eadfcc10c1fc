"""Conditions of `--where` on the fields of result rows, evaluated by the database where it has them, and on the rows."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from sqlalchemy import ColumnElement, not_, or_

from orchestrator.store.reading.aggregate import ANY, WORST_CASE
from orchestrator.store.reading.values import ResultRow
from orchestrator.verdict import VERDICTS
from workers.errors import UserError
from workers.spec.fields import (
    AdversarialTraining,
    AttackName,
    BackendName,
    DatasetName,
    DefenceName,
    Knowledge,
    LossName,
    ModelName,
    NormName,
    RankKind,
    SignGradientName,
    SketchModes,
    TargetName,
    fraction,
)

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*")
_ALIASES = {"rank": "rank_fraction", "epsilon_literal": "epsilon"}
_EQUALITIES = ("=", "!=")
_KEYS = ("model_key", "source_key")
_UNASKED = {"job_keys", "rank", "defence_settings", "reasons", "stage_rank_fractions"}
_WORDS: dict[str, tuple[str, ...]] = {
    "adversarial_training": get_args(AdversarialTraining),
    "attack": ("none", *get_args(AttackName), WORST_CASE),
    "backend": get_args(BackendName),
    "dataset": get_args(DatasetName),
    "defence": get_args(DefenceName),
    "knowledge": ("none", *get_args(Knowledge), ANY),
    "loss": get_args(LossName),
    "model": get_args(ModelName),
    "norm": get_args(NormName),
    "rank_kind": get_args(RankKind),
    "sign_gradient": get_args(SignGradientName),
    "sketch_modes": get_args(SketchModes),
    "target": get_args(TargetName),
    "verdict": VERDICTS,
}
_TRUTH = {"true": True, "false": False}
_TYPES = {name: hint for name, hint in get_type_hints(ResultRow).items() if name not in _UNASKED}


@dataclass(frozen=True)
class Condition:
    """Condition `field operator value`, or for `=` and `!=` several values: one of them, or none of them. None is an empty field."""

    field: str
    symbol: str
    values: tuple[Any, ...]

    def holds(self, row: ResultRow) -> bool:
        """True where the row meets it; a field without value meets no comparison of size. Keys may be given by their first digits."""
        found = getattr(row, self.field)
        if self.symbol in _EQUALITIES:
            return any(self._is(found, value) for value in self.values) == (self.symbol == "=")
        return found is not None and bool(_OPERATORS[self.symbol](found, self.values[0]))

    def _is(self, found: Any, value: Any) -> bool:
        return bool(found.startswith(value)) if self.field in _KEYS and found and value else bool(found == value)

    def clause(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the same condition on a column of the database."""
        if self.symbol not in _EQUALITIES:
            compared: ColumnElement[bool] = _OPERATORS[self.symbol](column, self.values[0])
            return compared
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


def field_name(name: str) -> str:
    """Return the field of a result row for the name that users give it.

    Raises:
        UserError: there is none.
    """
    field = _ALIASES.get(name, name)
    if field not in _TYPES:
        raise UserError(f"'{name}': no field of the results; one of {', '.join(sorted(_TYPES))}")
    return field


def _parsed(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise UserError(f"--where '{text}': must be FIELD=VALUE[,VALUE...], or with !=, <, <=, > or >=")
    name, symbol, given = match.groups()
    field = field_name(name)
    words = given.split(",") if symbol in _EQUALITIES else [given]
    values = tuple(_value(field, word.strip(), text) for word in words)
    if symbol not in _EQUALITIES and isinstance(values[0], str | bool | NoneType):
        raise UserError(f"--where '{text}': {field} is no number; = and != compare it")
    return Condition(field, symbol, values)


def _value(field: str, word: str, text: str) -> Any:
    hint = _TYPES[field]
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if NoneType in kinds and word in ("none", "null", ""):
        return None
    if bool in kinds:
        if word not in _TRUTH:
            raise UserError(f"--where '{text}': {field} is true or false")
        return _TRUTH[word]
    if int in kinds or float in kinds:
        try:
            return float(fraction(word))
        except ValueError as error:
            raise UserError(f"--where '{text}': {field} {error}") from None
    if word not in _WORDS.get(field, (word,)):
        raise UserError(f"--where '{text}': '{word}' is no {field}; one of {', '.join(_WORDS[field])}")
    return word
