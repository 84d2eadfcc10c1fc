"""Components that a plugin declares, read from its text: where decorators' arguments, defaults and types are constants. Runs nothing.

What is read so registers nothing by itself, and stands in for the real components (`workers.plugins.known`) until one of them is called.
"""

import ast
import inspect
import operator
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from workers import registry
from workers.components.component_registry import Component, Registry, collecting, loading
from workers.plugins.files import FilePlugin
from workers.plugins.importer import module_name, run_once

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_BUILTIN = {found.__name__: found for found in (bool, dict, float, int, list, str, tuple)}
_READ = frozenset({"annotated_types", "pydantic", "typing"})
"""Modules whose names may stand in types."""
_NEVER_TRUE = frozenset({"__name__ == '__main__'", "TYPE_CHECKING", "typing.TYPE_CHECKING"})
"""Conditions that do not hold where a plugin is imported."""
_OPERATIONS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.BitOr: operator.or_,
    ast.Div: operator.truediv,
    ast.Mult: operator.mul,
    ast.Sub: operator.sub,
}


class _UnclearError(Exception):
    """The text alone does not say it."""


def declared(plugin: FilePlugin) -> tuple[Component[Any], ...] | None:
    """The components that a plugin's text declares, each with a `create` that runs the plugin first; None where the text alone does not
    tell them, as where one has a default that is computed."""
    try:
        with collecting() as found:
            for name in sorted(plugin.files):
                with loading(plugin.source(name)):
                    _File(plugin, plugin.parsed(name)).declare()
    except (_UnclearError, AttributeError, NameError, TypeError, ValueError):
        return None
    return tuple(found)


class _File:
    """The names that one file binds, and the components that it declares."""

    def __init__(self, plugin: FilePlugin, tree: ast.Module) -> None:
        self._plugin, self._tree = plugin, tree
        self._bound: dict[str, list[Any]] = {}
        for statement in tree.body:
            self._bind(statement)

    def _bind(self, statement: ast.stmt) -> None:
        """Note the names that a statement binds: a dotted name that is imported, a value's expression, or None for anything else.

        Raises:
            _UnclearError: it does more than that.
        """
        match statement:
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.Import(names=names):
                for alias in names:
                    self._note(alias.asname or alias.name.partition(".")[0], alias.name if alias.asname else alias.name.partition(".")[0])
            case ast.ImportFrom(module=module, names=names, level=level):
                for alias in names:
                    self._note(alias.asname or alias.name, None if level else f"{module}.{alias.name}")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self._note(name, None)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=value):
                self._note(name, value)
            case ast.If(test=test, orelse=[]) if ast.unparse(test) in _NEVER_TRUE:
                pass
            case _:
                raise _UnclearError

    def _note(self, name: str, found: Any) -> None:
        self._bound.setdefault(name, []).append(found)

    def declare(self) -> None:
        """Register the components that stand at the top of the file, each by the decorator that it has."""
        for node in self._tree.body:
            if isinstance(node, _FUNCTIONS | ast.ClassDef) and any(map(self._kind, node.decorator_list)):
                self._declare(node)

    def _declare(self, node: Any) -> None:
        if len(node.decorator_list) != 1 or (len(self._bound[node.name]) != 1):
            raise _UnclearError
        (decorator,) = node.decorator_list
        kind = str(self._kind(decorator))
        create = self._stand_in(node, registry.REGISTRIES[kind])
        if not isinstance(decorator, ast.Call):
            getattr(registry, kind)(create)
        elif decorator.args:
            raise _UnclearError
        else:
            getattr(registry, kind)(**{str(word.arg): self._value(word.value) for word in decorator.keywords})(create)

    def _kind(self, decorator: ast.expr) -> str | None:
        """The kind of component that a decorator of ours registers."""
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        parts = ast.unparse(named).split(".")
        first = self._bound.get(parts[0], [None])[-1]
        package, _, kind = ".".join([first, *parts[1:]]).rpartition(".") if isinstance(first, str) else ("", "", "")
        return kind if package == "robustsweep" and kind in registry.REGISTRIES else None

    def _stand_in(self, node: Any, components: Registry[Any]) -> Callable[..., Any]:
        """A function with a component's name and parameters, which runs the plugin and calls the component."""
        plugin, name = self._plugin, node.name
        is_class = isinstance(node, ast.ClassDef)
        methods = [part for part in node.body if isinstance(part, _FUNCTIONS)] if is_class else [node]

        def create(*arguments: Any, **settings: Any) -> Any:
            run_once(plugin)
            found = (one for one in components if one.source.plugin and one.source.plugin.digest == plugin.digest)
            return next(one for one in found if one.create.__qualname__ == name).create(*arguments, **settings)

        lines = [part.lineno for method in methods for part in (method, *method.decorator_list)]
        create.__code__ = create.__code__.replace(co_firstlineno=min(lines, default=node.lineno))
        create.__name__ = create.__qualname__ = name
        create.__module__, create.__doc__ = module_name(plugin), ast.get_docstring(node)
        initialisers = [method for method in methods if method.name == "__init__"] if is_class else [node]
        create.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [parameter for found in initialisers for parameter in self._parameters(found.args, components.given)][is_class:]
        )
        return create

    def _parameters(self, found: ast.arguments, given: frozenset[str]) -> list[inspect.Parameter]:
        places = [*found.posonlyargs, *found.args]
        needed = len(places) - len(found.defaults)
        kinds = [inspect.Parameter.POSITIONAL_ONLY] * len(found.posonlyargs) + [inspect.Parameter.POSITIONAL_OR_KEYWORD] * len(found.args)
        by_place = [
            inspect.Parameter(one.arg, kind, default=inspect.Parameter.empty if number < needed else None)
            for number, (one, kind) in enumerate(zip(places, kinds, strict=True))
        ]
        rest = [inspect.Parameter(found.vararg.arg, inspect.Parameter.VAR_POSITIONAL)] if found.vararg else []
        words = [self._setting(one, default, given) for one, default in zip(found.kwonlyargs, found.kw_defaults, strict=True)]
        return [*by_place, *rest, *words, *([inspect.Parameter(found.kwarg.arg, inspect.Parameter.VAR_KEYWORD)] if found.kwarg else [])]

    def _setting(self, one: ast.arg, default: ast.expr | None, given: frozenset[str]) -> inspect.Parameter:
        """A keyword-only parameter; of those that we give, only the name counts, and if there is a default."""
        own = one.arg not in given
        return inspect.Parameter(
            one.arg,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if default is None else self._value(default) if own else None,
            annotation=self._type(one.annotation) if own and one.annotation is not None else inspect.Parameter.empty,
        )

    def _type(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._value(ast.parse(node.value, mode="eval").body)
        return self._value(node)

    def _value(self, node: ast.expr) -> Any:
        """The value of an expression that consists of constants, types and `Field(...)`.

        Raises:
            _UnclearError: there is more in it.
        """
        found: Any
        match node:
            case ast.Constant(value=value):
                found = value
            case ast.Name(id=name):
                found = self._named(name)
            case ast.Attribute(value=inner, attr=attr) if isinstance(module := self._value(inner), ModuleType):
                found = getattr(module, attr)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                found = (list if isinstance(node, ast.List) else tuple)(map(self._value, parts))
            case ast.Dict(keys=keys, values=values):
                found = {self._value(key): self._value(value) for key, value in zip(filter(None, keys), values, strict=True)}
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                found = -self._value(operand)
            case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATIONS:
                found = _OPERATIONS[type(operation)](self._value(left), self._value(right))
            case ast.Subscript(value=outer, slice=inside):
                found = self._value(outer)[self._value(inside)]
            case ast.Call(func=func, args=arguments, keywords=words) if _is_read(function := self._value(func)):
                found = function(*map(self._value, arguments), **{str(word.arg): self._value(word.value) for word in words})
            case _:
                raise _UnclearError
        return found

    def _named(self, name: str) -> Any:
        match self._bound.get(name, [_BUILTIN.get(name)]):
            case [ast.expr() as value]:
                return self._value(value)
            case [str(place)] if place.partition(".")[0] in _READ:
                module, _, inside = place.partition(".")
                return getattr(import_module(module), inside) if inside else import_module(module)
            case [type() as found]:
                return found
        raise _UnclearError


def _is_read(found: Any) -> bool:
    return str(getattr(found, "__module__", "")).partition(".")[0] in _READ
