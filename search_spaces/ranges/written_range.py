"""Ranges as a space file writes them, `{min: 0.8, max: 1.0}` or `{values: [a, b]}`, and the parameters they define."""

from collections.abc import Sequence
from fractions import Fraction
from math import isfinite
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, PlainValidator

from search_spaces.schema.axes import named_fields
from search_spaces.schema.parameter import Parameter, ParameterValue, Path
from search_spaces.schema.training_axes import WrittenCountRange, WrittenEpsilonRange, lists
from workers.components.settings import Frozen
from workers.spec.fields import Positive, positive_fraction
from workers.spec.step_settings import IsNumber, NumberKind, written


class AxisKind(NamedTuple):
    """`number` is None where a value is no number, `is_list` where one value is a list; `number` is then that of its items."""

    number: NumberKind | None
    is_list: bool


def axis_kind(section: type[BaseModel], name: str) -> AxisKind:
    """Return the kind of one value of a section's axis."""
    declared = section.model_fields[named_fields(section)[name]]
    value, *_ = get_args(declared.annotation)
    is_list = any(isinstance(part, BeforeValidator) and part.func is lists for part in declared.metadata)
    return AxisKind(_kind_of_number(value), is_list)


def _kind_of_number(annotation: Any) -> NumberKind | None:
    if get_origin(annotation) is Annotated:
        marked = next((part.kind for part in get_args(annotation)[1:] if isinstance(part, IsNumber)), None)
        if marked is not None:
            return marked
    if annotation == WrittenEpsilonRange:
        return "literal"
    if annotation is float or annotation is int:
        return "float" if annotation is float else "int"
    if annotation == WrittenCountRange:
        return "int"
    return _kind_inside(annotation)


def _kind_inside(annotation: Any) -> NumberKind | None:
    """Return the only number of a union (train_examples may be null, steps the word paper), or that of the items of a list."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated or (origin is tuple and parts[-1] is Ellipsis):
        return _kind_of_number(parts[0])
    if origin in (Union, UnionType):
        numbers = {number for part in parts if (number := _kind_of_number(part)) is not None}
        return numbers.pop() if len(numbers) == 1 else None
    return None


def _bound(value: object) -> int | float | str:
    if isinstance(value, int | str) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    raise ValueError("must be a number")


def _allowed(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _values(value: object) -> object:
    if value == []:
        raise ValueError("must name at least one value")
    return tuple(value) if isinstance(value, list) else value


_FINEST, _ROUNDING = 10**6, Fraction(1, 10**6)
Bound = Annotated[int | float | str, PlainValidator(_bound)]


class WrittenRange(Frozen):
    """The keys of a range; the allowed combinations depend on the setting (see `parameter`)."""

    min: Bound | None = None
    max: Bound | None = None
    step: Positive | None = None
    log: bool = False
    values: Annotated[tuple[Any, ...] | None, BeforeValidator(_values)] = None
    when: dict[str, Annotated[tuple[Any, ...], PlainValidator(_allowed)]] = {}


class RangePlace(NamedTuple):
    """Position of a range: its path in the file, and the kind of one value of that axis, or of one item of such a value."""

    path: Path
    kind: AxisKind
    item: bool = False


def place(path: Path, section: type[BaseModel], *, item: int | None = None) -> RangePlace:
    """Return the place of the axis at `path`, a field of `section`, or of an item of its one value."""
    kind = axis_kind(section, str(path[-1]))
    return RangePlace(path, kind) if item is None else RangePlace((*path, item), kind, item=True)


def is_categorical(value: object, kind: AxisKind) -> bool:
    """Tell whether a plain list is a choice among its items; where one value is itself a list, it must hold several lists."""
    if not isinstance(value, list) or len(value) < 1 + (not kind.is_list):
        return False
    return not kind.is_list or (len(value) > 1 and all(item is None or isinstance(item, list) for item in value))


def categorical(values: Sequence[object], where: RangePlace) -> Parameter:
    """Return the parameter of a plain list."""
    return Parameter(name=_dotted(where.path), kind="categorical", choices=_choices(values))


def parameter(range_: WrittenRange, where: RangePlace) -> Parameter:
    """Return the parameter that a range at that place defines.

    Raises:
        ValueError: its keys cannot be combined, or the setting takes no such range.
    """
    conditions = {name: tuple(map(shown_choice, values)) for name, values in range_.when.items()}
    if where.item and conditions:
        raise ValueError("when: an item of a list cannot be left out; give the whole list")
    if range_.values is not None:
        if range_.min is not None or range_.max is not None or range_.step is not None or range_.log:
            raise ValueError("either values, or min and max")
        return Parameter(name=_dotted(where.path), kind="categorical", choices=_choices(range_.values), when=conditions)
    if range_.min is None or range_.max is None:
        raise ValueError("a range has min and max, or values")
    return _numeric(range_, where).model_copy(update={"when": conditions})


def _numeric(range_: WrittenRange, where: RangePlace) -> Parameter:
    kind = where.kind.number
    if kind is None or (where.kind.is_list and not where.item):
        raise ValueError("is not a number, it has no min and max; give it values: [...]")
    low, high = (_number(name, value, kind) for name, value in (("min", range_.min), ("max", range_.max)))
    _require_range(low, high, range_)
    step = None if range_.step is None else _step(range_.step, kind)
    if step is not None:
        _require_steps(low, high, step)
    return Parameter(name=_dotted(where.path), kind="int" if kind == "int" else "float", low=low, high=high, step=step, log=range_.log)


def _require_range(low: float, high: float, range_: WrittenRange) -> None:
    if low > high:
        raise ValueError(f"min={range_.min} is above max={range_.max}")
    if range_.log and low <= 0:
        raise ValueError(f"log with min={range_.min}: must be > 0")
    if range_.log and range_.step is not None:
        raise ValueError("log and step do not go together")


def _number(name: str, value: object, kind: str) -> int | float:
    if kind == "literal":
        return float(positive_fraction(written(value)))
    if isinstance(value, int | float):
        if kind == "float":
            return float(value)
        if isinstance(value, int):
            return value
    raise ValueError(f"{name}={value}: must be a {'whole ' if kind == 'int' else ''}number")


def _step(step: float, kind: str) -> int | float:
    if kind == "int" and step != int(step):
        raise ValueError(f"step={step:g}: must be a whole number")
    return int(step) if kind == "int" else step


def _require_steps(low: float, high: float, step: float) -> None:
    """Check that a range is a whole number of steps long; of floats up to rounding: 0.8 to 1 are twelve steps of 0.016666667."""
    steps = (Fraction(repr(high)) - Fraction(repr(low))) / Fraction(repr(step))
    if max(abs(low), abs(high)) > _FINEST * step:
        raise ValueError(f"step={step:g}: must be at least a millionth of the range's larger end")
    if abs(steps - round(steps)) > (0 if isinstance(step, int) else _ROUNDING) or (steps and not round(steps)):
        raise ValueError(f"step={step:g}: max must be min plus a whole number of steps")


def _choices(values: Sequence[object]) -> tuple[ParameterValue, ...]:
    return tuple(dict.fromkeys(map(shown_choice, values)))


def shown_choice(value: object) -> ParameterValue:
    """Return a choice as a sampler stores it: anything but a scalar is written as text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))
