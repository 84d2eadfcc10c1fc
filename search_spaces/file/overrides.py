"""Overrides: `path=value` settings from the command line, applied to a space file's data."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from search_spaces.file.problems import SpaceProblem, dotted, unknown_key
from search_spaces.file.yaml_document import read_document
from search_spaces.schema.registered_sections import LISTS, SECTION_NAMES
from search_spaces.schema.wording import listed, shown
from search_spaces.space import SEARCH, VARIANTS, Location, divided, legal_keys, sets


def overridden(data: dict[str, Any], overrides: Iterable[str], problems: list[SpaceProblem]) -> tuple[dict[str, Any], set[Location]]:
    """Return `data` with the overrides applied, and their paths; an override that cannot be applied is added to `problems`."""
    applied: dict[Location, object] = {}
    for override in overrides:
        name, equals, text = override.partition("=")
        path = _path(name.strip())
        message = _objection(path, data) if equals else f"{shown(override)}: write path=value, such as model.theta=0.9"
        value = read_document(text)
        if not message and value.problems:
            message = f"{dotted(path)}={shown(text)}: {value.problems[0].message}"
        if message:
            problems.append(SpaceProblem(message))
            continue
        data = _replaced(data, path, value.data)
        applied[path] = value.data
    problems += _unreached(applied, data)
    return data, set(applied)


def _path(text: str) -> Location:
    """Parse `attacks.0.epsilon` to ("attacks", 0, "epsilon"); only groups and variants are numbered. A component's setting may be
    written with `settings`, as in a file: `model.settings.width`."""
    named = text.split(".")
    parts = [part for place, part in enumerate(named) if part != "settings" or place in (0, len(named) - 1)]
    return tuple(int(part) if re.fullmatch(r"[0-9]{1,6}", part) else part for part in parts)


def _objection(path: Location, data: dict[str, Any]) -> str:
    """Return the reason why `path` names no setting; empty where it names one."""
    within, inside = divided(path)
    if within and (message := _no_such("variant", data.get(VARIANTS), path, 1)):
        return message
    return _objection_within(within, inside, data[VARIANTS][within[1]] if within else data) if inside else ""


def _objection_within(within: Location, path: Location, data: object) -> str:
    """Return the reason why `path` names no setting of `data`, the file or its variant `within`; empty where it names one."""
    whole = (*within, *path)
    if path[0] not in legal_keys(within):
        return unknown_key(within, str(path[0]))
    section, inside = path[:1], path[1:]
    if path[0] in LISTS and inside:
        name = str(path[0])
        if message := _no_such(LISTS[name], data.get(name) if isinstance(data, dict) else None, whole, len(within) + 1):
            return message
        section, inside = path[:2], path[2:]
    if inside and (path[0] in SECTION_NAMES or path[0] == SEARCH) and inside[0] not in legal_keys(section):
        return unknown_key((*within, *section), str(inside[0]))
    depth = 1 if path[0] in SECTION_NAMES or path[0] == SEARCH else 0
    return f"{dotted(whole)}: unknown path; a setting has no parts" if len(inside) > depth else ""


def _no_such(kind: str, items: object, path: Location, position: int) -> str:
    """Return the reason why a list has no item of the number that `path` has at `position`; empty where it has one."""
    count = len(items) if isinstance(items, list) else 0
    if path[position] in range(count):
        return ""
    legal = listed(dotted((*path[:position], index)) for index in range(count))
    return f"{dotted(path)}: no such {kind}; legal: {legal or 'none'}"


def _unreached(applied: dict[Location, object], data: dict[str, Any]) -> Iterator[SpaceProblem]:
    """Yield overrides that would silently have no effect on some variants, which set their own value that no override replaces."""
    variants = data.get(VARIANTS)
    numbered = [((VARIANTS, index), variant) for index, variant in enumerate(variants if isinstance(variants, list) else [])]
    for setting in (setting for path, value in applied.items() for setting in _settings(path, value)):
        having = [within for within, variant in numbered if sets(variant, setting) and not _addressed((*within, *setting), applied)]
        if having:
            theirs = listed(dotted((*within, *setting)) for within in having)
            names = listed(dotted(within) for within in having)
            yield SpaceProblem(f"{dotted(setting)}: not for {names}, which set their own; override {theirs} as well, or instead")


def _settings(path: Location, value: object) -> list[Location]:
    """Return the settings that an override of `path` sets: those in a whole section, otherwise `path` itself."""
    if len(path) == 1 and path[0] in SECTION_NAMES and isinstance(value, dict):
        return [(*path, key) for key in value]
    return [path]


def _addressed(path: Location, applied: Iterable[Location]) -> bool:
    """Tell whether an override sets `path`, a part of it, or anything that contains it."""
    return any(other[: len(path)] == path[: len(other)] for other in applied)


def _replaced(data: Any, path: Location, value: object) -> Any:
    """Return a copy of `data` with `value` at `path`: aliases share their data, so nothing may be changed in place."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(data, list) and isinstance(first, int):
        return [_replaced(item, rest, value) if i == first else item for i, item in enumerate(data)]
    if isinstance(data, dict) or data is None:
        held = data or {}
        return {**held, first: _replaced(held.get(first), rest, value)}
    return data
