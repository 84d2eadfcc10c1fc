"""Plugins as they are read: the files that belong to one, which of them a file reaches by import, and their digests. Runs nothing."""

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import decode_source, find_spec
from pathlib import Path, PurePosixPath

from workers.components.facts import CodeSource, PluginVersion
from workers.errors import UserError, os_reason
from workers.files import read_regular
from workers.plugins.definitions import Definitions, ModuleParts

_PACKAGE = "__init__.py"


@dataclass(frozen=True)
class FilePlugin:
    """A plugin's files, by name in its folder: the first, `NAME.py` or a package's `__init__.py`, and those that it reaches by import.

    `path` is where it was read: the file, or the package's folder. Modules are named by their parts below the plugin, `()` is the first.
    """

    path: Path
    files: Mapping[str, bytes]

    @property
    def root(self) -> str:
        return self.path.name if self.path.suffix == ".py" else _PACKAGE

    @property
    def folder(self) -> Path:
        return self.path.parent if self.path.suffix == ".py" else self.path

    @cached_property
    def digests(self) -> dict[str, str]:
        return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(self.files.items())}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the names and contents of all files."""
        return _digest_of(self.digests)

    def source(self, name: str) -> CodeSource:
        """The source of components in one file: the digest is that of the files that this one reaches, without comments and layout."""
        files = {found: self._definitions.whole(found) for found in sorted(self.reached(name))}
        version = PluginVersion(path=str(self.path), digest=self.digest, files=files)
        return CodeSource(self.folder / name, _digest_of(files), version, partial(self._definitions.digest, name))

    @cached_property
    def _definitions(self) -> Definitions:
        return Definitions(self)

    def file_of(self, module: ModuleParts) -> str | None:
        """The name of a module's file; None where it is not the plugin's."""
        if not module:
            return self.root
        names = (f"{'/'.join(module)}/{_PACKAGE}", f"{'/'.join(module)}.py")
        return next((name for name in names if name in self.files), None)

    def own(self, module: str) -> ModuleParts | None:
        """The parts of a module that is imported by its full name; None where it is not the plugin's."""
        parts = tuple(module.split("."))
        if self.root == _PACKAGE:
            return parts[1:] if parts[0] == self.path.name else None
        return parts if self.file_of(parts[:1]) is not None else None

    def reached(self, name: str) -> set[str]:
        """The names of the files that one of them reaches by import within the plugin, itself among them.

        Raises:
            UserError: one is no Python.
        """
        found: set[str] = set()
        left = [name]
        while left:
            if (one := left.pop()) not in found:
                found.add(one)
                imports = (node for node in ast.walk(self.parsed(one)) if isinstance(node, ast.Import | ast.ImportFrom))
                left += [file for node in imports for file, _ in self.imported(one, node)]
        return found

    def parsed(self, name: str) -> ast.Module:
        """The syntax tree of a file.

        Raises:
            UserError: it is no Python.
        """
        try:
            return ast.parse(decode_source(self.files[name]), name)
        except (SyntaxError, ValueError) as error:
            where = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
            raise UserError(f"plugin {self.path}: {'' if name == self.root else f'{name}, '}{where}") from None

    def imported(self, name: str, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
        """Yield what an import in a file takes from the plugin: a file, and the name in that (empty: all of it); with packages, what
        they run when they are imported, the plugin itself excepted."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from self._whole(self.own(alias.name))
        elif (base := self._base(name, node)) is not None:
            for alias in node.names:
                if self.file_of((*base, alias.name)) is not None:
                    yield from self._whole((*base, alias.name))
                elif (file := self.file_of(base)) is not None:
                    yield from self._whole(base[:-1] or None)
                    yield file, "" if alias.name == "*" else alias.name

    def _whole(self, module: ModuleParts | None) -> Iterator[tuple[str, str]]:
        """All of a module and of the packages that it is in."""
        if module is not None:
            modules = [module[:end] for end in range(1, len(module) + 1)] or [module]
            yield from ((file, "") for file in map(self.file_of, modules) if file is not None)

    def _base(self, name: str, node: ast.ImportFrom) -> ModuleParts | None:
        """The module that a file imports names from, if it may be the plugin's."""
        if not node.level:
            return self.own(node.module or "")
        package = PurePosixPath(name).parts[:-1]
        end = len(package) - node.level + 1
        return (*package[:end], *(node.module.split(".") if node.module else ())) if end >= 0 else None


class _Unread(FilePlugin):
    """A plugin on disk, of whose files it is not known yet which belong to it."""

    def own(self, module: str) -> ModuleParts | None:
        return None if _is_installed(module.partition(".")[0], self.folder) else super().own(module)


class _Folder(dict[str, bytes]):
    """Files by name in a folder, each read once, when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (self._folder / str(name)).is_file()

    def __missing__(self, name: str) -> bytes:
        return self.setdefault(name, read_regular(self._folder / name))


def read_plugin(path: Path) -> FilePlugin:
    """Read a plugin.

    Raises:
        UserError: there is none, or one of its files is no Python.
    """
    unread = _Unread(path, {})
    files = _Folder(unread.folder)
    try:
        names = _Unread(path, files).reached(unread.root)
        return FilePlugin(path, {name: files[name] for name in names})
    except OSError as error:
        raise UserError(f"plugin {path}: {os_reason(error)}") from error


def _digest_of(files: Mapping[str, str]) -> str:
    return hashlib.sha256("".join(f"{name}\0{digest}\n" for name, digest in sorted(files.items())).encode()).hexdigest()


def _is_installed(module: str, folder: Path) -> bool:
    """True for Python's own and installed modules, which a file of the same name in the plugin's folder does not replace."""
    if module in sys.stdlib_module_names:
        return True
    try:
        spec = find_spec(module)
    except ValueError:  # `__main__`, say
        return False
    return spec is not None and spec.origin is not None and not Path(spec.origin).is_relative_to(folder)
