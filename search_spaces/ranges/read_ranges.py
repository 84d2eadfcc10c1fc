"""The ranges of a space file: their positions, the order in which they are chosen, and the parameters they define."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails

from search_spaces.ranges.legality import axis_errors, error, grid_errors, relocated
from search_spaces.ranges.substitute import ABSENT, Data, held, put
from search_spaces.ranges.written_range import RangePlace, WrittenRange, categorical, is_categorical, parameter, place
from search_spaces.schema.axes import AxisSection, named_fields
from search_spaces.schema.parameter import Parameter, Path
from search_spaces.schema.registered_sections import LISTS, grid_type, sections
from search_spaces.schema.wording import listed, word
from workers.errors import did_you_mean

SEARCHED = ("seed", "data", "model", "defence", "training", "fine_tuning", "attacks")
"""Parts of a space that may hold ranges. In `attacks` a plain list is no choice: all of these attacks are run on every model."""


@dataclass(frozen=True)
class Searched:
    """The file's settings as written, ranges included, the parameters that the ranges define, and the errors found."""

    template: Data
    parameters: tuple[Parameter, ...]
    errors: list[InitErrorDetails] = field(default_factory=list)


def read_ranges(data: Data) -> Searched:
    """Find the parameters of a file, those that others depend on first, and check that every value of each is legal."""
    errors: list[InitErrorDetails] = []
    found = [made for where, value in _places(data) if (made := _made(where, value, errors)) is not None]
    errors += [error(made.path, held(data, made.path), complaint) for made in found for complaint in _condition_problems(made, found)]
    ordered = _ordered(found)
    if not errors and len(ordered) < len(found):
        circle = [made for made in found if made not in ordered]
        names = ", ".join(made.name for made in circle)
        errors.append(error(circle[0].path, held(data, circle[0].path), f"when: circular dependency: {names}"))
    errors += _next_to_others(data, found, errors) if errors else grid_errors(data, ordered)
    return Searched(data, ordered, errors)


def _next_to_others(data: Data, parameters: list[Parameter], errors: list[InitErrorDetails]) -> list[InitErrorDetails]:
    """Return the errors of the file apart from its ranges: invalid and conditional ranges are left out, and not reported as missing."""
    out = {_setting(found["loc"]) for found in errors} | {made.path for made in parameters if made.when}
    rest: Any = data
    for path in out:
        rest = put(rest, path, ABSENT)
    left = tuple(made for made in parameters if _setting(made.path) not in out)
    return [found for found in axis_errors(rest, left) if _setting(found["loc"]) not in out]


def _setting(path: Path) -> Path:
    """Return the setting that contains a path."""
    return path[: 1 if path[0] == "seed" else 3 if path[0] in LISTS else 2]


def _places(data: Data) -> Iterator[tuple[RangePlace, object]]:
    """Yield every axis of the file that may be a range, in the file's order."""
    for name in (name for name in data if name in SEARCHED):
        if name == "seed":
            yield place((name,), grid_type()), data[name]
        elif name == "attacks":
            groups = data[name] if isinstance(data[name], list) else []
            yield from chain.from_iterable(_axes((name, number), group, sections()[name]) for number, group in enumerate(groups))
        else:
            yield from _axes((name,), data[name], sections()[name])


def _axes(path: Path, held: object, section: type[BaseModel]) -> Iterator[tuple[RangePlace, object]]:
    assert issubclass(section, AxisSection)  # noqa: S101 (SEARCHED names only such)
    for name, value in held.items() if isinstance(held, dict) else ():
        if name in named_fields(section):
            where = place((*path, name), section)
            yield where, value
            if where.kind.is_list and isinstance(value, list):
                yield from ((place((*path, name), section, item=i), item) for i, item in enumerate(value) if isinstance(item, dict))


def _made(where: RangePlace, value: object, errors: list[InitErrorDetails]) -> Parameter | None:
    if isinstance(value, list):
        is_choice = not where.item and where.path[0] != "attacks" and is_categorical(value, where.kind)
        return categorical(value, where) if is_choice else None
    if not isinstance(value, dict):
        return None
    try:
        return _with_legal_ends(parameter(WrittenRange.model_validate(value), where))
    except ValidationError as invalid:
        errors += relocated(invalid, where.path)
    except ValueError as complaint:
        errors.append(error(where.path, value, str(complaint)))
    return None


def _with_legal_ends(made: Parameter) -> Parameter:
    for end in made.ends:
        made.require(end)
    return made


def _ordered(found: list[Parameter]) -> tuple[Parameter, ...]:
    """Return the parameters in file order, but each after those it depends on; without those with a missing or circular dependency."""
    ordered: dict[str, Parameter] = {}
    while ready := [made for made in found if made.name not in ordered and all(name in ordered for name in made.when)]:
        ordered[ready[0].name] = ready[0]
    return tuple(ordered.values())


def _condition_problems(made: Parameter, found: list[Parameter]) -> Iterator[str]:
    by_name = {other.name: other for other in found}
    for name, allowed in made.when.items():
        parent = by_name.get(name)
        if parent is None:
            hint = did_you_mean(name, by_name) or ";"
            yield f"when: {name} is not searched{hint} searched: {listed(by_name)}"
        elif parent.kind != "categorical":
            yield f"when: {name} is a range of numbers; only a setting with values can be a condition"
        else:
            wrong = [value for value in allowed if value not in parent.choices]
            yield from (f"when: {name}={word(value)}: one of {listed(map(word, parent.choices))}" for value in wrong)
