"""Import of plugins from the files that were read, whatever is on disk by then, and whatever else is on Python's path."""

import ast
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.abc import ExecutionLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from workers.components.component_registry import declare_module, loading
from workers.components.facts import CodeSource
from workers.errors import UserError
from workers.plugins.definitions import ModuleParts
from workers.plugins.files import FilePlugin

MODULES = "robustsweep_plugin_"
"""Beginning of the names of plugins' modules."""
_current: dict[Path, str] = {}


def module_name(plugin: FilePlugin) -> str:
    """The name of a plugin's first module."""
    return f"{MODULES}{plugin.digest[:16]}"


def has_run(plugin: FilePlugin) -> bool:
    """True where a plugin was the last one that was read from its path, and has run."""
    return _current.get(plugin.path, plugin.digest) == plugin.digest and plugin.digest in _current.values()


def run_once(plugin: FilePlugin) -> None:
    """Run a plugin, unless it was the last one that was read from its path.

    Raises:
        UserError: it raises an error; the message says where.
    """
    if has_run(plugin):
        return
    importer = _Importer(plugin)
    _forget(importer.name)
    sys.meta_path.insert(0, importer)
    try:
        import_module(importer.name)
    except (Exception, SystemExit) as error:
        sys.meta_path.remove(importer)
        _forget(importer.name)
        raise UserError(f"plugin {plugin.path}: {_first_line(error, plugin)}") from error
    _current[plugin.path] = plugin.digest
    declare_module(plugin.path.stem, partial(_attribute, plugin))


def run_when_asked(plugin: FilePlugin) -> None:
    """Let `NAME:attribute` mean what a plugin's first module holds, which runs when one is asked for."""

    def look_up(name: str) -> tuple[Any, CodeSource]:
        run_once(plugin)
        return _attribute(plugin, name)

    declare_module(plugin.path.stem, look_up)


def _attribute(plugin: FilePlugin, name: str) -> tuple[Any, CodeSource]:
    """Value that the plugin's first module holds under a name, and the source of that."""
    module = import_module(module_name(plugin))
    if name.startswith("_") or not hasattr(module, name):
        close = get_close_matches(name, [found for found in vars(module) if not found.startswith("_")], n=1)
        raise ValueError(f"plugin {plugin.path} has no {name}{f' (did you mean {close[0]}?)' if close else ''}")
    return getattr(module, name), plugin.source(plugin.root)


def _forget(name: str) -> None:
    for module in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
        del sys.modules[module]


def raised_at(error: BaseException) -> str:
    """The place in a plugin where an error was raised, `mine.py, line 12`; empty where that is in no plugin."""
    names = {f"{MODULES}{digest[:16]}" for digest in _current.values()}
    files = {module.__file__ for name, module in list(sys.modules.items()) if name.partition(".")[0] in names}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""


class _Importer(MetaPathFinder, ExecutionLoader):
    """Finder and loader of one plugin's modules: `robustsweep_plugin_DIGEST`, and `.NAME` for each further file."""

    def __init__(self, plugin: FilePlugin) -> None:
        self.plugin, self.name = plugin, module_name(plugin)

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002
        if (fullname != self.name and not fullname.startswith(f"{self.name}.")) or self._file(fullname) is None:
            return None
        spec = spec_from_loader(fullname, self)
        if spec is not None and spec.submodule_search_locations is not None:
            spec.submodule_search_locations = []  # only what was read
        return spec

    def is_package(self, fullname: str) -> bool:
        return fullname == self.name or (self._file(fullname) or "").endswith("/__init__.py")

    def get_filename(self, fullname: str) -> str:
        return str(self.plugin.folder / (self._file(fullname) or ""))

    def get_source(self, fullname: str) -> str:
        return decode_source(self.plugin.files[self._file(fullname) or ""])

    def get_code(self, fullname: str) -> CodeType:
        name = self._file(fullname) or ""
        tree = _OwnNames(self).visit(self.plugin.parsed(name))
        return compile(ast.fix_missing_locations(tree), self.get_filename(fullname), "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        with loading(self.plugin.source(self._file(module.__name__) or "")):
            super().exec_module(module)

    def full_name(self, module: str) -> str | None:
        """The name here of a module that a plugin imports by a full one; None where that is not the plugin's."""
        own = self.plugin.own(module)
        return None if own is None else ".".join((self.name, *own))

    def _file(self, fullname: str) -> str | None:
        parts: ModuleParts = tuple(fullname.split(".")[1:])
        return self.plugin.file_of(parts)


class _OwnNames(ast.NodeTransformer):
    """Gives the plugin's modules, where they are imported by full names, the names that they have here."""

    def __init__(self, importer: _Importer) -> None:
        self._importer = importer

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if not node.level and (name := self._importer.full_name(node.module or "")) is not None:
            node.module = name
        return node

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        return [statement for alias in node.names for statement in self._import(node, alias)]

    def _import(self, node: ast.Import, alias: ast.alias) -> list[ast.stmt]:
        """`import a.b` as `import NAME.a.b`, and the first of them, `a`, by its own name."""
        if (name := self._importer.full_name(alias.name)) is None:
            return [ast.copy_location(ast.Import([alias]), node)]
        first = alias.name.partition(".")[0]
        bound = (
            [ast.alias(name, alias.asname)] if alias.asname else [ast.alias(name), ast.alias(self._importer.full_name(first) or "", first)]
        )
        return [ast.copy_location(ast.Import([one]), node) for one in bound]


def _first_line(error: BaseException, plugin: FilePlugin) -> str:
    """One line for an error: where in the plugin it was raised, and what it says."""
    if isinstance(error, UserError):
        return str(error).removeprefix(f"plugin {plugin.path}: ")
    files = {str(plugin.folder / name): name for name in plugin.files}
    places = [(files[frame.filename], frame.lineno) for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    message = next(iter(str(error).splitlines()), "") or type(error).__name__
    kind = "" if isinstance(error, ValueError | TypeError) else f"{type(error).__name__}: "
    where = "".join(f"{'' if name == plugin.root else f'{name}, '}line {line}: " for name, line in places[-1:])
    return f"{where}{kind}{message}"
