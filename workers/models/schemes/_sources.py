"""A library's networks by name. Names are read from its source: importing the library would import torch, for seconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from workers.components.facts import DatasetInfo, ModelFacts
from workers.components.references import Referenced

if TYPE_CHECKING:
    from torch import nn


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


def library_network(
    library: str, name: str, known: tuple[str, ...], make: Callable[[str, DatasetInfo], nn.Module]
) -> Referenced[ModelFacts]:
    """The network of a library by its name, with random weights of its own.

    Args:
        library: as messages call it.
        name: of the network.
        known: the names that the library has.
        make: returns the network of a name for a data set.

    Raises:
        ValueError: the library has none of that name.
    """
    if name not in known:
        raise ValueError(f"{library} has no network {name} for classification")

    def create(info: DatasetInfo) -> nn.Module:
        return make(name, info)

    create.__doc__ = f"{library}'s {name}."
    return Referenced(create, ModelFacts("image", initialised=True))
