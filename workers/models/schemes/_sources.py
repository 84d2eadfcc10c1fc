"""Names of a library's networks, read from its source: importing the library would import torch, for seconds."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def folder_of(package: str) -> Path | None:
    """The folder of an installed package, found without importing it; None where it is not installed."""
    found = find_spec(package)
    return None if found is None or found.origin is None else Path(found.origin).parent


@cache
def registered(package: str, decorator: str) -> tuple[str, ...]:
    """The functions that a decorator registers in the modules of `package`'s folder `models`, sorted; empty where it is not installed.

    Args:
        package: a top-level one.
        decorator: as it is written, `@register_model`, without arguments.
    """
    folder = folder_of(package)
    if folder is None:
        return ()
    # Other decorators may stand between this one and the function.
    pattern = re.compile(rf"^{re.escape(decorator)}\b.*\n(?:[@ )].*\n)*def (\w+)\(", re.MULTILINE)
    modules = sorted((folder / "models").glob("*.py"))
    return tuple(sorted({name for module in modules for name in pattern.findall(module.read_text(encoding="utf-8"))}))
