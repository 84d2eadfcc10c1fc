"""Check that the values of a space's ranges are legal, each and in combination, before anything is launched."""

from collections.abc import Iterator, Mapping
from itertools import chain, combinations, islice, product
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from search_spaces.ranges.substitute import ABSENT, Data, as_written, filled, held, options, put
from search_spaces.schema.parameter import Parameter, ParameterValue, Path
from search_spaces.schema.registered_sections import grid_type
from search_spaces.schema.wording import word


def error(path: Path, value: object, message: str) -> InitErrorDetails:
    """Return a problem with the value at a path of the file."""
    return InitErrorDetails(type="value_error", loc=path, input=value, ctx={"error": ValueError(message)})


def relocated(invalid: ValidationError, path: Path) -> list[InitErrorDetails]:
    """Return a validation's errors, moved below `path`."""
    return [
        InitErrorDetails(type=found["type"], loc=(*path, *found["loc"]), input=found["input"], ctx=found.get("ctx", {}))
        for found in invalid.errors(include_url=False)
    ]


_MOST_POINTS, _MOST_LISTS, _MOST_BRANCHES = 2000, 64, 256


def grid_errors(data: Data, parameters: tuple[Parameter, ...]) -> list[InitErrorDetails]:
    """Return the errors of the file's settings, with every range tried at its ends and every choice; of equal errors the first."""
    errors = axis_errors(data, parameters)
    if not errors:
        branches = islice(_branches(parameters), _MOST_BRANCHES)
        points = islice(chain.from_iterable(_points(parameters, branch) for branch in branches), _MOST_POINTS)
        errors = _at_points(data, parameters, points)
    return errors


def axis_errors(data: Data, parameters: tuple[Parameter, ...]) -> list[InitErrorDetails]:
    """Return the errors of the file as a grid in which each range is an axis of its ends, and each choice an axis of all its values."""
    branches = islice(_branches(parameters), _MOST_BRANCHES)
    return _distinct(chain.from_iterable(_errors_of(_with_axes(data, parameters, branch)) for branch in branches))


def _errors_of(data: Any) -> list[InitErrorDetails]:
    try:
        grid_type().model_validate(data)
    except ValidationError as invalid:
        return relocated(invalid, ())
    return []


def _distinct(errors: Iterator[InitErrorDetails]) -> list[InitErrorDetails]:
    found: dict[tuple[object, ...], InitErrorDetails] = {}
    for one in errors:
        found.setdefault((one["loc"], str(one["type"]), str(one["ctx"].get("error", ""))), one)
    return list(found.values())


def _branches(parameters: tuple[Parameter, ...]) -> Iterator[dict[str, ParameterValue]]:
    """Yield every combination of values of the parameters that others depend on."""
    parents = [made for made in parameters if any(made.name in other.when for other in parameters)]
    branches: list[dict[str, ParameterValue]] = [{}]
    for parent in parents:
        branches = [
            {**branch, **chosen}
            for branch in branches[:_MOST_BRANCHES]
            for chosen in ([{parent.name: value} for value in parent.choices] if parent.applies(branch) else [{}])
        ]
    yield from branches


def _with_axes(data: Data, parameters: tuple[Parameter, ...], branch: Mapping[str, ParameterValue]) -> Any:
    """Return the file as a grid: each range an axis of its ends, each choice one of all its values, in one branch of the conditions."""
    axes: Any = data
    lists: dict[Path, list[Parameter]] = {}
    for made in parameters:
        if made.name in branch:
            axes = put(axes, made.path, as_written(data, made, branch[made.name]))
        elif not made.applies(branch):
            axes = put(axes, made.path, ABSENT)
        elif isinstance(made.path[-1], int):
            lists.setdefault(made.path[:-1], []).append(made)
        else:
            axes = put(axes, made.path, _written_ends(data, made))
    for path, items in lists.items():
        axes = put(axes, path, list(islice(_lists(data, path, items), _MOST_LISTS)))
    return axes


def _written_ends(data: Data, made: Parameter) -> list[Any]:
    written = held(data, made.path)
    return options(written) if made.kind == "categorical" else [written["min"], written["max"]]


def _lists(data: Data, path: Path, items: list[Parameter]) -> Iterator[list[Any]]:
    """Yield a list value with the ends of the ranges in it in every combination."""
    for ends in product(*(_written_ends(data, made) for made in items)):
        value = list(held(data, path))
        for made, end in zip(items, ends, strict=True):
            value[int(made.path[-1])] = end
        yield value


Point = tuple[dict[str, ParameterValue], tuple[str, ...]]


def _points(parameters: tuple[Parameter, ...], branch: Mapping[str, ParameterValue]) -> Iterator[Point]:
    """Yield combinations of values in which any two parameters have any two of their extreme values, and the names of these two."""
    free = [made for made in parameters if made.name not in branch and made.applies(branch)]
    values = {**branch, **{made.name: made.ends[0] for made in free}}
    yield values, ()
    for one in free:
        yield from (({**values, one.name: end}, (one.name,)) for end in one.ends)
    for one, other in combinations(free, 2):
        for pair in product(one.ends, other.ends):
            names = (one.name, other.name)
            yield {**values, **dict(zip(names, pair, strict=True))}, names


def _at_points(data: Data, parameters: tuple[Parameter, ...], points: Iterator[Point]) -> list[InitErrorDetails]:
    """Return the errors of these combinations; for each setting the first one, with the values that cause it."""
    found: dict[Path, InitErrorDetails] = {}
    for values, varied in points:
        for one in _errors_of(filled(data, parameters, values)):
            found.setdefault(one["loc"], _tried(one, {name: values[name] for name in varied}))
    return list(found.values())


def _tried(found: InitErrorDetails, values: Mapping[str, ParameterValue]) -> InitErrorDetails:
    if not values:
        return found
    tried = ", ".join(f"{name}={word(value)}" for name, value in values.items())
    message = f"{found['ctx'].get('error', 'is not legal')} (tried with {tried}; `when:` says where a range applies)"
    return error(found["loc"], found["input"], message)
