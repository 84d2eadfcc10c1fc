"""Overrides: `path=value` settings from the command line, laid over a space file's data."""

import re
from collections.abc import Iterable
from typing import Any

from search_spaces.document import read_document
from search_spaces.problems import Location, Problem, dotted, shown, unknown_key
from search_spaces.schema import SECTIONS, legal_keys


def overridden(data: dict[str, Any], overrides: Iterable[str], problems: list[Problem]) -> tuple[dict[str, Any], set[Location]]:
    """`data` with the overrides applied, and their paths; what cannot be applied is added to `problems`."""
    paths: set[Location] = set()
    for override in overrides:
        name, equals, text = override.partition("=")
        path = _path(name.strip())
        message = _objection(path, data) if equals else f"{shown(override)}: write path=value, such as model.theta=0.9"
        value = read_document(text)
        if not message and value.problems:
            message = f"{dotted(path)}={shown(text)}: {value.problems[0].message}"
        if message:
            problems.append(Problem(message))
            continue
        data = _replaced(data, path, value.data)
        paths.add(path)
    return data, paths


def _path(text: str) -> Location:
    """`attacks.0.epsilon` as ("attacks", 0, "epsilon"): only groups are counted."""
    return tuple(int(part) if re.fullmatch(r"[0-9]{1,6}", part) else part for part in text.split("."))


def _objection(path: Location, data: dict[str, Any]) -> str:
    """Why `path` names no setting, or nothing."""
    if path[0] not in legal_keys(()):
        return unknown_key((), str(path[0]))
    section, inside = path[:1], path[1:]
    if path[0] == "attacks" and inside:
        groups = data.get("attacks")
        count = len(groups) if isinstance(groups, list) else 0
        if inside[0] not in range(count):
            return f"{dotted(path)}: no such attack group; legal: {', '.join(f'attacks.{i}' for i in range(count)) or 'none'}"
        section, inside = path[:2], path[2:]
    if inside and path[0] in SECTIONS and inside[0] not in legal_keys(section):
        return unknown_key(section, str(inside[0]))
    depth = 1 if path[0] in SECTIONS else 0
    return f"{dotted(path)}: unknown path; a setting has no parts" if len(inside) > depth else ""


def _replaced(data: Any, path: Location, value: object) -> Any:
    """A copy of `data` with `value` at `path`: aliases share their data, so nothing may be changed in place."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(data, list) and isinstance(first, int):
        return [_replaced(item, rest, value) if i == first else item for i, item in enumerate(data)]
    if isinstance(data, dict) or data is None:
        held = data or {}
        return {**held, first: _replaced(held.get(first), rest, value)}
    return data
