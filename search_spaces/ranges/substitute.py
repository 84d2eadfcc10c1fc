"""Substitution of values for the ranges of a space file."""

from collections.abc import Mapping
from typing import Any

from search_spaces.ranges.written_range import RangePlace, place, shown_choice
from search_spaces.schema.parameter import Parameter, ParameterValue, Path
from search_spaces.schema.registered_sections import grid_type, sections
from workers.spec.fields import spelled

Data = Mapping[str, Any]
ABSENT = object()


def filled(template: Data, parameters: tuple[Parameter, ...], values: Mapping[str, ParameterValue]) -> Any:
    """Return the file with its ranges replaced by these values; a range that does not apply is left out.

    Raises:
        ValueError: a parameter that applies has no value or an illegal one, or there is a value for one that does not.
    """
    if unknown := values.keys() - {made.name for made in parameters}:
        raise ValueError(f"{min(unknown)}: is not searched")
    data: Any = template
    for made in parameters:
        if made.applies(values) != (made.name in values):
            raise ValueError(f"{made.name}: {'applies, and has no value' if made.applies(values) else 'does not apply under these values'}")
        if made.name not in values:
            data = put(data, made.path, ABSENT)
            continue
        made.require(values[made.name])
        data = put(data, made.path, as_written(template, made, values[made.name]))
    return data


def as_written(template: Data, made: Parameter, value: ParameterValue) -> object:
    """Return the value as a file writes it: a list instead of the text that represents it, a number of a literal setting as text."""
    if made.kind == "categorical":
        return next(option for option in options(held(template, made.path)) if _same(shown_choice(option), value))
    exact = made.exact(value)
    return spelled(exact) if isinstance(exact, float) and _place_of(made.path).kind.number == "literal" else exact


def options(written: Any) -> list[Any]:
    """Return the choices of a categorical range, as the file writes them."""
    return list(written["values"] if isinstance(written, dict) else written)


def _same(option: ParameterValue, value: ParameterValue) -> bool:
    return option == value and isinstance(option, bool) == isinstance(value, bool)


def _place_of(path: Path) -> RangePlace:
    if path[0] == "seed":
        return place(path, grid_type())
    inside = 2 if path[0] == "attacks" else 1
    return place(path[: inside + 1], sections()[str(path[0])])


def held(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def put(data: Any, path: Path, value: object) -> Any:
    """Return a copy of `data` with `value` at `path`, or without what is there."""
    first, rest = path[0], path[1:]
    new = put(data[first], rest, value) if rest else value
    if isinstance(data, list):
        return [new if number == first else item for number, item in enumerate(data)]
    return {**data, first: new} if new is not ABSENT else {name: other for name, other in data.items() if name != first}
