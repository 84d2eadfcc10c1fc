"""Definitions that a component's reaches by name, in its file and in the plugin's others, and the digest of that. Runs nothing.

Comments, layout and docstrings do not count. A name reaches all statements at the top of its file that bind it, and what these reach. Top
statements that bind no names alone (calls, loops, conditions), and definitions with decorators of the plugin's own, may change what others
do, and count for every component of their file. Where code looks names up by itself (`globals`, `eval`, ...), its whole plugin counts.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol

_OPAQUE = frozenset({"globals", "locals", "vars", "eval", "exec", "compile", "__import__", "importlib", "sys", "inspect"})
_NAMED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
ModuleParts = tuple[str, ...]
Place = tuple[str, int]
"""A statement at the top of a file: the file's name, and the statement's number."""


class Files(Protocol):
    """A plugin's files."""

    def parsed(self, name: str) -> ast.Module: ...

    def file_of(self, module: ModuleParts) -> str | None: ...

    def imported(self, name: str, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
        """Yield what an import in a file takes from the plugin: a file, and the name in that (empty: all of it)."""

    def reached(self, name: str) -> set[str]: ...


class Module:
    """One file: its statements, and which of them bind which names."""

    def __init__(self, tree: ast.Module) -> None:
        documented = any(isinstance(node, ast.Attribute | ast.Name) and _name_of(node) == "__doc__" for node in ast.walk(tree))
        self.statements = [part for node in tree.body for part in _parts(node)]
        self._plain = [_plain(node, with_docstrings=documented) for node in self.statements]
        self.bound: dict[str, list[int]] = {}
        for number, node in enumerate(self.statements):
            for name in _bound_by(node):
                self.bound.setdefault(name, []).append(number)

    @cached_property
    def of_all(self) -> list[int]:
        """The statements that count for every component of the file."""
        return [number for number, node in enumerate(self.statements) if self._may_act(node)]

    def _may_act(self, node: ast.stmt) -> bool:
        if isinstance(node, _NAMED):
            decorators = [_name_of(decorator) for decorator in node.decorator_list]
            return any(name in self.bound and not self._is_imported(name) for name in decorators)
        if isinstance(node, ast.Import | ast.ImportFrom):
            return any(alias.name == "*" for alias in node.names)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            return not all(isinstance(part, ast.Name | ast.Tuple | ast.List) for part in targets)
        return True

    def _is_imported(self, name: str) -> bool:
        return all(isinstance(self.statements[number], ast.Import | ast.ImportFrom) for number in self.bound[name])

    def plain(self, number: int) -> Any:
        return self._plain[number]

    def used_by(self, number: int) -> set[str]:
        """The names that a statement may look up at the top of the file."""
        found = {node.id for node in ast.walk(self.statements[number]) if isinstance(node, ast.Name)}
        texts = (node.value for node in ast.walk(self.statements[number]) if isinstance(node, ast.Constant))
        return found | {text for text in texts if isinstance(text, str) and text in self.bound}


class Definitions:
    """The definitions of one plugin's files."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._modules: dict[str, Module] = {}

    def digest(self, file: str, name: str) -> str:
        """SHA-256 of what a definition reaches, itself included.

        Args:
            file: in which it is.
            name: its qualified name; that of what a function returns (`make.<locals>.net`) tells nothing, and the whole file counts then.
        """
        name = "" if "<" in name else name.partition(".")[0]
        content = [self._module(path).plain(number) for path, number in sorted(self.reached(file, name))]
        return hashlib.sha256(json.dumps([name, content]).encode()).hexdigest()

    def whole(self, file: str) -> str:
        """SHA-256 of a whole file, without comments, layout and docstrings."""
        module = self._module(file)
        return hashlib.sha256(json.dumps([module.plain(number) for number in range(len(module.statements))]).encode()).hexdigest()

    def reached(self, file: str, name: str) -> set[Place]:
        """The statements that a definition reaches, itself included."""
        found: set[Place] = set()
        left = [*self._places(file, name), *((file, number) for number in self._module(file).of_all)]
        while left:
            if (place := left.pop()) not in found:
                found.add(place)
                left += self._from(*place)
        return found

    def _from(self, file: str, number: int) -> Iterator[Place]:
        """The statements that one statement reaches directly."""
        module = self._module(file)
        for node in ast.walk(module.statements[number]):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for other, inside in self._files.imported(file, node):
                    yield from self._places(other, inside)
        if (used := module.used_by(number)) & _OPAQUE:
            for other in self._files.reached(file):
                yield from self._places(other, "")
        for name in used:
            yield from ((file, place) for place in module.bound.get(name, ()))

    def _places(self, file: str, name: str) -> list[Place]:
        """The statements that bind a name; all of the file's where it is empty or unknown."""
        module = self._module(file)
        numbers = module.bound.get(name) if name else None
        if numbers is None:
            return [(file, number) for number in range(len(module.statements))]
        return [(file, number) for number in {*numbers, *module.of_all}]

    def _module(self, file: str) -> Module:
        if file not in self._modules:
            self._modules[file] = Module(self._files.parsed(file))
        return self._modules[file]


def _parts(node: ast.stmt) -> Iterator[ast.stmt]:
    """A statement at the top of a file: an import as one for each name, and no docstring."""
    if isinstance(node, ast.Import):
        yield from (ast.Import([alias]) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (ast.ImportFrom(node.module, [alias], node.level) for alias in node.names)
    elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        yield node


def _bound_by(node: ast.stmt) -> set[str]:
    """The names that a statement at the top of a file binds there; those of inner functions are taken for such, too."""
    if isinstance(node, _NAMED):
        return {node.name}
    found = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store | ast.Del)}
    for inner in ast.walk(node):
        if isinstance(inner, _NAMED):
            found.add(inner.name)
        if isinstance(inner, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in inner.names}
    return found


def _name_of(node: ast.AST) -> str:
    """The name that an expression such as `rs.attack(...)` begins with, or that an attribute has."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr if node.attr == "__doc__" else _name_of(node.value)
    return _name_of(node.func) if isinstance(node, ast.Call) else ""


def _plain(node: Any, *, with_docstrings: bool) -> Any:
    """A syntax tree as lists and texts, which no version of Python writes in another way: what is empty is left out."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
        return [
            type(node).__name__,
            *([name, _plain(_body(node, name, value, with_docstrings), with_docstrings=with_docstrings)] for name, value in fields),
        ]
    if isinstance(node, list):
        return [_plain(item, with_docstrings=with_docstrings) for item in node]
    return repr(node)


def _body(node: ast.AST, name: str, value: Any, with_docstrings: bool) -> Any:
    """The value of a node's field; a body without its docstring."""
    if with_docstrings or name != "body" or not isinstance(node, _NAMED) or ast.get_docstring(node, clean=False) is None:
        return value
    return value[1:]
