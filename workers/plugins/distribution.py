"""Plugins that are installed: distributions that name modules in the entry-point group `robustsweep.plugins`."""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workers.components.component_registry import declare_module, loading
from workers.components.facts import CodeSource, PluginVersion
from workers.errors import UserError

GROUP = "robustsweep.plugins"


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: its name (as `path`), its digest, and what it registers components with."""

    path: str
    digest: str
    entry_points: tuple[metadata.EntryPoint, ...]

    @classmethod
    def named(cls, name: str) -> "Distribution":
        """The distribution of that name.

        Raises:
            UserError: it is not installed, or registers nothing.
        """
        try:
            found = metadata.distribution(name)
        except (metadata.PackageNotFoundError, ValueError):
            legal = ", ".join(sorted({point.dist.name for point in metadata.entry_points(group=GROUP) if point.dist})) or "none"
            raise UserError(
                f"plugin {name}: neither a file NAME.py, nor a folder with __init__.py, nor an installed distribution; of these: {legal}"
            ) from None
        points = tuple(found.entry_points.select(group=GROUP))
        if not points:
            raise UserError(f"plugin {name}: this distribution has no entry point in the group {GROUP}")
        return cls(found.metadata["Name"], _digest(found, points), points)

    def load(self) -> None:
        """Import what it registers components with.

        Raises:
            UserError: that raises an error.
        """
        for point in self.entry_points:
            source = CodeSource(Path(self.path), self.digest, PluginVersion(path=self.path, digest=self.digest))
            try:
                with loading(source):
                    point.load()
                declare_module(point.module, partial(_attribute, point.module, source))
            except (Exception, SystemExit) as error:
                message = next(iter(str(error).splitlines()), "")
                raise UserError(f"plugin {self.path}: {point.value}: {type(error).__name__}: {message}") from error


def _attribute(module: str, source: CodeSource, name: str) -> tuple[Any, CodeSource]:
    """Value that a module of a distribution holds under a name."""
    if not hasattr(found := import_module(module), name):
        raise ValueError(f"module {module} of {source.path} has no {name}")
    return getattr(found, name), source


def _digest(found: metadata.Distribution, points: tuple[metadata.EntryPoint, ...]) -> str:
    """SHA-256 of name, version and RECORD; of an installation in place, whose RECORD does not know them, of the modules' files too."""
    known = [found.metadata["Name"], found.version, found.read_text("RECORD") or ""]
    if json.loads(found.read_text("direct_url.json") or "{}").get("dir_info", {}).get("editable"):
        known += [digest for point in points for digest in _file_digests(point.module.partition(".")[0])]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _file_digests(module: str) -> list[str]:
    spec = find_spec(module)
    places = [] if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]
    files = sorted(path for place in places for path in place.rglob("*.py")) or ([Path(spec.origin)] if spec and spec.origin else [])
    return [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
