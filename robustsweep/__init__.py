"""The public face: `import robustsweep as rs`. It only re-exports; what is heavy is imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from workers.facts import DatasetInfo
from workers.registry import attack, dataset, defence, loss, metric, model

if TYPE_CHECKING:
    from orchestrator.api import Results, open_results, pivot
    from workers.data.loading.source import Dataset, Split
    from workers.defences.base import ActivationDefence, Defence

__all__ = [
    "ActivationDefence",
    "Dataset",
    "DatasetInfo",
    "Defence",
    "Results",
    "Split",
    "attack",
    "dataset",
    "defence",
    "loss",
    "metric",
    "model",
    "open_results",
    "pivot",
]

_PLACES = {
    "ActivationDefence": "workers.defences.base",
    "Dataset": "workers.data.loading.source",
    "Defence": "workers.defences.base",
    "Results": "orchestrator.api",
    "Split": "workers.data.loading.source",
    "open_results": "orchestrator.api",
    "pivot": "orchestrator.api",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'robustsweep' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
