"""YAML text as plain data, with the line of each part. No text, however malformed, makes this raise."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.reader import ReaderError

from search_spaces.file.problems import SpaceProblem
from search_spaces.schema.wording import shown
from search_spaces.space import Location


class _Unreadable:
    def __repr__(self) -> str:
        return "..."


UNREADABLE = _Unreadable()
"""Stands for a value whose problem is already reported."""

_TAG = "tag:yaml.org,2002:"
_INTEGERS = range(-(2**63), 2**63)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without its implicit conversions: `1e-3` is a number; `on`, `1:30`, `010` and dates do not get their YAML 1.1 types."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for _name, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), list(_first))


def _integer(text: str) -> int:
    value = int(text)
    if value not in _INTEGERS:
        raise ValueError("number too large")
    return value


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


_SCALARS: dict[str, Callable[[str], object]] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": _integer,
    "float": lambda text: float(re.sub(r"\.(?=inf|nan)", "", text.lower())),
    "str": _text,
}


@dataclass
class Document:
    """A parsed YAML text: its content (`data`), the line of each part (`line`) and the problems of the text itself (`problems`)."""

    root: yaml.Node | None = None
    data: Any = None
    problems: list[SpaceProblem] = field(default_factory=list)

    def line(self, path: Location) -> int:
        """Return the line of the key or list item at `path`; where there is none, that of the nearest enclosing one."""
        node, line = self.root, 1 if self.root is None else _line(self.root)
        for part in path:
            if isinstance(node, yaml.MappingNode):
                found = [(_line(key), value) for key, value in node.value if key.value == part]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                found = [(_line(item), item) for item in node.value[part : part + 1]]
            else:
                return line
            if not found:
                return line
            line, node = found[-1]
        return line


def read_document(text: str) -> Document:
    """Parse one YAML document; its `data` is None where the text is empty, its `root` also where it cannot be parsed."""
    document = Document()
    try:
        loader = _Loader(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return Document(problems=[SpaceProblem(f"not valid YAML: character {shown(chr(error.character))} is not allowed", line=line)])
    try:
        root = loader.get_single_node()
        if root is not None:
            document.data = _Reader(document.problems).value(root)
            document.root = root
    except yaml.MarkedYAMLError as error:
        document.problems.append(_syntax_problem(error))
    except RecursionError:
        document.problems.append(SpaceProblem("not valid YAML: nested too deeply", line=loader.line + 1))
    except (ValueError, OverflowError):
        # PyYAML does not catch the errors of int() and chr(): "\UFFFFFFFF", %YAML 9999...
        document.problems.append(SpaceProblem("not valid YAML: a number or an escape is out of range", line=loader.line + 1))
    return document


def _syntax_problem(error: yaml.MarkedYAMLError) -> SpaceProblem:
    mark = error.problem_mark or error.context_mark
    complaint = ", ".join(part for part in (error.context, error.problem) if part)
    return SpaceProblem(f"not valid YAML: {complaint[:200]}", line=mark.line + 1 if mark else 1)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _Reader:
    """Turns nodes into plain data. A node is read once: aliases share their value, so an alias bomb stays small."""

    def __init__(self, problems: list[SpaceProblem]) -> None:
        self._problems = problems
        self._values: dict[int, object] = {}
        self._open: set[int] = set()

    def value(self, node: yaml.Node) -> object:
        if id(node) in self._open:
            return self._problem(node, "an alias refers to the value that it is part of")
        if id(node) not in self._values:
            self._open.add(id(node))
            self._values[id(node)] = self._read(node)
            self._open.remove(id(node))
        return self._values[id(node)]

    def _read(self, node: yaml.Node) -> object:
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self.value(item) for item in node.value]
        if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
            return self._scalar(node, _SCALARS[kind])
        return self._problem(node, f"tag {shown(_text(node.tag.replace(_TAG, '!!')))} is not allowed")

    def _scalar(self, node: yaml.ScalarNode, read: Callable[[str], object]) -> object:
        try:
            return read(node.value)
        except ValueError:
            return self._problem(node, f"{shown(_text(node.value))}: not a number, or too large")

    def _mapping(self, node: yaml.MappingNode) -> dict[str, object]:
        lines: dict[str, int] = {}
        values: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, "a key must be a word")
                continue
            name = _text(key.value)
            if name in lines:
                self._problem(key, f"duplicate key {shown(name)}; it is already on line {lines[name]}")
            lines.setdefault(name, _line(key))
            values[name] = self.value(value)
        return values

    def _problem(self, node: yaml.Node, message: str) -> object:
        self._problems.append(SpaceProblem(message, line=_line(node)))
        return UNREADABLE
