"""Problems of a space file: one line each, naming the offending value and the legal ones."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, get_args, get_origin

from pydantic_core import ErrorDetails

from search_spaces.schema.axes import named_fields
from search_spaces.schema.registered_sections import LISTS, SECTION_NAMES, sections
from search_spaces.schema.wording import shown
from search_spaces.space import SEARCH, Location, divided, legal_keys
from workers.errors import UserError, did_you_mean


class SpaceError(UserError):
    """A space cannot be read; the message has one line per problem."""


@dataclass(frozen=True)
class SpaceProblem:
    """One problem; `line` counts from 1, and 0 means that it comes from an override."""

    message: str
    line: int = 0

    def located(self, label: str) -> str:
        return f"{label}:{self.line}: {self.message}" if self.line else f"override: {self.message}"


_GROUP_DEPTH = 2
_MESSAGES = {
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "model_type": "must be a mapping (key: value)",
    "string_type": "must be text",
    "tuple_type": "must be a list",
}


def dotted(path: Location) -> str:
    """`("attacks", 0, "attack")` as `attacks.0.attack`; a part that is no plain word is quoted."""
    return ".".join(str(part) if re.fullmatch(r"[\w-]{1,40}", str(part)) else shown(part) for part in path)


def joined(problems: Iterable[SpaceProblem], label: str) -> SpaceError:
    """All problems as one error, in the order of their lines, overrides last."""
    ordered = sorted(problems, key=lambda problem: (problem.line == 0, problem.line))
    return SpaceError("\n".join(dict.fromkeys(problem.located(label) for problem in ordered)))


def setting(path: Location) -> Location:
    """Return the setting that contains a path: the values of an axis have no path of their own."""
    within, inside = divided(path)
    depth = 1
    if inside and inside[0] == SEARCH:
        depth = len(inside)
    elif inside and inside[0] in SECTION_NAMES:
        depth = 3 if inside[0] in LISTS else 2
    return within + inside[:depth]


def described(error: ErrorDetails, path: Location) -> str:
    """Describe one pydantic error, of the value at `path` in the file, as `model.theta=1.3: must be in (0, 1]`."""
    if error["type"] == "extra_forbidden":
        return unknown_key(path[:-1], str(path[-1]))
    if error["type"] == "missing":
        return f"{dotted(path)}: missing; it is required"
    _, inside = divided(path)
    if error["type"] == "value_error" and inside in {(section,) for section in (*SECTION_NAMES, SEARCH)}:
        # Two sections that do not go together: the message names the setting, the section's other values would hide it.
        return f"{dotted(path)}.{_complaint(error)}"
    if error["type"] == "value_error" and len(inside) == _GROUP_DEPTH and inside[0] in LISTS:
        return f"{dotted(path)}.{_complaint(error)}"
    complaint = _complaint(error)
    null = _or_null(inside) if complaint.startswith(("must be", "one of")) else ""
    return f"{dotted(setting(path))}={shown(error['input'])}: {complaint}{null}" if path else complaint


def _or_null(inside: Location) -> str:
    """`, or null` for a setting that is one value or none; the error names the legal values alone."""
    section = sections().get(str(inside[0])) if len(inside) > 1 else None
    field = section.model_fields.get(named_fields(section).get(str(setting(inside)[-1]), "")) if section else None
    forms = [get_args(part) for part in (field.annotation, *get_args(field.annotation))] if field else []
    return ", or null" if any(NoneType in form and not any(map(_is_container, form)) for form in forms) else ""


def _is_container(annotation: object) -> bool:
    origin = get_origin(annotation)
    return _is_container(get_args(annotation)[0]) if origin is Annotated else origin in (dict, tuple)


def unknown_key(parents: Location, key: str) -> str:
    legal = legal_keys(parents)
    hint = did_you_mean(key, legal) or ";"
    return f"{dotted((*parents, key))}: unknown key{hint} legal: {', '.join(legal)}"


def _complaint(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "literal_error":
        legal = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
        return f"one of {legal}" if "," in legal else f"must be {legal.lower()}"
    return _MESSAGES.get(error["type"], error["msg"])
