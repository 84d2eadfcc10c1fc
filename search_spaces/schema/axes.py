"""Axes: the settings that may vary in a space. Every axis takes one value or a list; equal values are merged, the order is kept."""

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, PlainValidator

from workers.spec.fields import Frozen, positive_fraction

T = TypeVar("T")
RANGE_KEYS = frozenset({"min", "max", "step", "log", "values", "when"})


def no_range(value: object) -> None:
    """Check that an axis is given values, not a range: a search has replaced its ranges by values before this point.

    Raises:
        ValueError: the value is a range.
    """
    if isinstance(value, dict) and value.keys() & RANGE_KEYS:
        raise ValueError("a range is allowed here only with method: optuna, and not in surfaces")


def _as_tuple(value: object) -> object:
    no_range(value)
    if isinstance(value, list | tuple):
        return tuple(value)
    return (value,)


def merged(values: tuple[T, ...]) -> tuple[T, ...]:
    """Return an axis's values, each once, in order."""
    if not values:
        raise ValueError("must name at least one value")
    return tuple(dict.fromkeys(values))


def written(value: object) -> str:
    """Return a number or a literal as it was written, without spaces; empty for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "".join(str(value).split()) if is_number or isinstance(value, str) else ""


def _literal(value: object) -> str:
    literal = written(value)
    positive_fraction(literal)
    return literal


def _steps(value: object) -> object:
    if value != "paper" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError("must be a whole number >= 1, or paper")
    return value


Axis = Annotated[tuple[T, ...], BeforeValidator(_as_tuple), AfterValidator(merged)]
PositiveLiteral = Annotated[str, PlainValidator(_literal)]
Steps = Annotated[int | Literal["paper"], PlainValidator(_steps)]


class Axes(Frozen):
    """A section of axes. An axis that is left out is `()`: it does not vary and keeps its spec's default."""

    def points(self) -> Iterator[dict[str, Any]]:
        """Every combination of the axes that are given, as keyword arguments for a spec."""
        given = {name: values for name, values in self if values}
        for combination in product(*given.values()):
            yield dict(zip(given, combination, strict=True))
