"""`robustbench:NAME`: the architectures of RobustBench, where that package is installed; their weights are a file, in `weights:`."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from workers.components.facts import DatasetInfo, ModelFacts
from workers.components.references import Referenced
from workers.models.schemes._sources import folder_of

if TYPE_CHECKING:
    from torch import nn

_DATASETS = ("cifar10", "cifar100", "imagenet")
_ENTRY = re.compile(r"\(\s*'([\w.\-]+)',\s*\{\s*'model':")


@cache
def names() -> tuple[str, ...]:
    """The names in RobustBench's model zoo, read from its source; none where it is not installed."""
    folder = folder_of("robustbench")
    files = () if folder is None else (folder / "model_zoo" / f"{dataset}.py" for dataset in _DATASETS)
    return tuple(sorted({name for file in files if file.is_file() for name in _ENTRY.findall(file.read_text(encoding="utf-8"))}))


def resolve(name: str) -> Referenced[ModelFacts]:
    """The architecture of that name, for the data set whose zoo has it.

    Raises:
        ValueError: RobustBench has none, or is not installed.
    """
    if folder_of("robustbench") is None:
        raise ValueError("robustbench is not installed; pip install robustbench, or take the network from a plugin")

    def create(info: DatasetInfo) -> nn.Module:  # noqa: ARG001 (its zoo says the classes)
        return _made(name)

    create.__doc__ = f"RobustBench's {name}."
    if name not in names():
        raise ValueError(f"robustbench has no network {name}")
    return Referenced(create, ModelFacts("image", initialised=True))


def _made(name: str) -> nn.Module:
    """The bare architecture; RobustBench's own loader would fetch weights."""
    from robustbench.model_zoo.models import model_dicts

    zoos = (models for of_norm in model_dicts.values() for models in of_norm.values())
    network: nn.Module = next(models[name]["model"]() for models in zoos if name in models)
    return network
