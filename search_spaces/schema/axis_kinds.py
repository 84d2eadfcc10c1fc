"""Kind of one value of an axis, as its annotation says: a kind of number, or a list of such numbers."""

from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator

from search_spaces.schema.training_axes import WrittenCountRange, WrittenEpsilonRange, lists
from workers.spec.step_settings import IsNumber, NumberKind


class AxisKind(NamedTuple):
    """`number` is None where a value is no number, `is_list` where one value is a list; `number` is then that of its items."""

    number: NumberKind | None
    is_list: bool


def axis_kind(section: type[BaseModel], field: str) -> AxisKind:
    """Return the kind of one value of a section's axis."""
    declared = section.model_fields[field]
    value, *_ = get_args(declared.annotation)
    is_list = any(isinstance(part, BeforeValidator) and part.func is lists for part in declared.metadata)
    return AxisKind(_number(value), is_list)


def _number(annotation: Any) -> NumberKind | None:
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
    return _inside(annotation)


def _inside(annotation: Any) -> NumberKind | None:
    """Return the only number of a union (train_examples may be null, steps the word paper), or that of the items of a list."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated or (origin is tuple and parts[-1] is Ellipsis):
        return _number(parts[0])
    if origin in (Union, UnionType):
        numbers = {number for part in parts if (number := _number(part)) is not None}
        return numbers.pop() if len(numbers) == 1 else None
    return None
