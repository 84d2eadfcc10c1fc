"""Plugins whose declarations are known: their text tells them, and running it once, with what is installed now, has shown the same.

Such a plugin need not run, and import torch, for a command that only looks at what it declares. A note in the user's cache says so, named
after everything that it depends on: the plugin's files, our code, Python and what is installed. Nothing is read from it, so a note that is
damaged, lost or cannot be written costs time, nothing else.
"""

import hashlib
import inspect
import json
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import PydanticUserError

from workers.code import FOLDER, code_here
from workers.components.component_registry import Component
from workers.files import user_cache, write_text
from workers.plugins.declarations import declared
from workers.plugins.files import FilePlugin
from workers.plugins.importer import MODULES
from workers.registry import REGISTRIES

_OURS = frozenset({"__main__", "__mp_main__", "orchestrator", "robustsweep", "search_spaces", "workers"})


def known_components(plugin: FilePlugin) -> tuple[Component[Any], ...] | None:
    """The components that a plugin declares, without running it; None where that must be run to know them."""
    return declared(plugin) if _is_noted(plugin) else None


def note_if_known(plugin: FilePlugin) -> None:
    """Note that a plugin, which has run, registered what its text declares, and that this depends on nothing else."""
    if _is_noted(plugin) or not _imports_installed_modules():
        return
    registered = [one for components in REGISTRIES.values() for one in components if one.source.plugin is not None]
    found = (one for one in registered if one.source.plugin is not None and one.source.plugin.digest == plugin.digest)
    text = declared(plugin)
    with suppress(OSError, PydanticUserError):  # no folder that can be written; settings that have no schema
        if text is not None and _facts(text) == _facts(found):
            path = _note(plugin)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, path.name)


def _is_noted(plugin: FilePlugin) -> bool:
    path = _note(plugin)
    try:
        return path.read_bytes() == path.name.encode()
    except OSError:
        return False


def _note(plugin: FilePlugin) -> Path:
    told = [str(plugin.path), plugin.digest, code_here().digest, sys.version, _installed()]
    return user_cache() / "plugins" / hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _installed() -> list[str]:
    """Names of the installed distributions with their versions, and when they came."""
    folders = [path for path in map(Path, dict.fromkeys(sys.path)) if path.is_dir()]
    found = [path for folder in folders for kind in ("*.dist-info", "*.egg-info", "*.egg-link", "*.pth") for path in folder.glob(kind)]
    return sorted(f"{path} {path.stat().st_mtime_ns}" for path in found)


def _imports_installed_modules() -> bool:
    """True where all that was imported here is Python's own, installed, ours or a plugin's: what else there is may change unnoticed."""
    folders = (FOLDER, *map(Path, sysconfig.get_paths().values()))
    packages = {name: module for name, module in list(sys.modules.items()) if "." not in name and name not in _OURS}
    places = (
        place
        for name, module in packages.items()
        if not name.startswith(MODULES)
        for place in (getattr(module, "__file__", None), *getattr(module, "__path__", ()))
    )
    return all(any(Path(place).is_relative_to(folder) for folder in folders) for place in places if place is not None)


def _facts(components: Iterable[Component[Any]]) -> list[tuple[Any, ...]]:
    """Everything that a command may ask of components without calling them, in the order of their names."""
    return [
        (
            *(one.kind, one.name, one.facts, one.source, one.digest, one.place, one.create.__qualname__),
            [(found.name, found.kind, found.default is found.empty) for found in inspect.signature(one.create).parameters.values()],
            one.settings.model_json_schema() | {"description": ""},
        )
        for one in sorted(components, key=lambda one: (one.kind, one.name))
    ]
