"""Legal values of a setting, in words, as its declaration has it."""

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import PlainValidator
from pydantic.fields import FieldInfo

from search_spaces.schema.model_axes import WrittenHeldOut
from search_spaces.schema.search_section import HUB, OwnSampler, Sampler
from search_spaces.schema.training_axes import WrittenCountRange, WrittenEpsilonRange, WrittenMilestones
from search_spaces.schema.wording import word
from workers.components.settings import Frozen
from workers.spec.fields import Interval
from workers.spec.step_settings import IsNumber, PaperSteps, Stepsize

_WORDS: dict[Any, str] = {bool: "true, false", int: "whole number", float: "number", str: "text", NoneType: "null", Any: "any value"}
_WRITTEN: tuple[tuple[Any, str], ...] = (
    (WrittenCountRange, "[low, high], whole numbers >= 1"),
    (WrittenEpsilonRange, "[low, high], epsilons"),
    (WrittenMilestones, "list of epochs, or of shares such as 150/350"),
    (Sampler, f"{', '.join(get_args(OwnSampler))}, {HUB}NAME"),
    (PaperSteps, "whole number >= 1, or paper"),
    (WrittenHeldOut, "whole number >= 0, or share in (0, 1)"),
    (Stepsize, "number, or fraction such as 1/255"),
)
_LITERAL = "number > 0, or fraction such as 8/255"
_SIGNS = {Ge: (">=", "ge"), Gt: (">", "gt"), Le: ("<=", "le"), Lt: ("<", "lt")}


def of_one_value(field: FieldInfo) -> str:
    """Legal values of an axis, one at a time."""
    return legal_values(get_args(field.annotation)[0])


def legal_values(annotation: Any, metadata: Any = ()) -> str:
    """Legal values of that type."""
    whole = Annotated[(annotation, *metadata)] if metadata else annotation
    if (known := next((text for form, text in _WRITTEN if form in (annotation, whole)), None)) is not None:
        return known
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return legal_values(inner, (*more, *metadata))
    marked = next((mark.kind for mark in metadata if isinstance(mark, IsNumber)), None)
    if marked is not None and any(isinstance(mark, PlainValidator) for mark in metadata):
        return _LITERAL if marked == "literal" else "whole number >= 1, or paper"
    return " ".join([_of_a_type(annotation), *_limits(metadata)])


def _of_a_type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(map(word, parts))
    if origin in (Union, UnionType):
        return ", or ".join(dict.fromkeys(one for part in parts for one in legal_values(part).split(", or ")))
    if origin is dict:
        return "mapping"
    if origin is tuple:
        inner = parts[0]
        return "list" if inner is Any else f"list of {_plural(legal_values(inner))}"
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return "section"
    return _WORDS.get(annotation, "name")


def _plural(values: str) -> str:
    first, space, rest = values.partition(" ")
    if first in ("number", "name", "section"):
        return f"{first}s{space}{rest}"
    return f"whole numbers{values.removeprefix('whole number')}" if values.startswith("whole number") else values


def _limits(metadata: Any) -> list[str]:
    """The limits of a number, `in (0, 1]`, `>= 1`."""
    signs = [f"{sign[0]} {getattr(mark, sign[1]):g}" for mark in metadata if (sign := _SIGNS.get(type(mark))) is not None]
    functions = [getattr(mark, "func", None) for mark in metadata]
    return [*(str(one) for one in functions if isinstance(one, Interval)), *([" and ".join(signs)] if signs else [])]
