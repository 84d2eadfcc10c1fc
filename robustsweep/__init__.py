"""The public face: `import robustsweep as rs`. It only re-exports; what is heavy is imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestrator.api.attack_function import attack
from workers.components.facts import DatasetInfo
from workers.registry import corruption, dataset, defence, loss, metric, model

if TYPE_CHECKING:
    from orchestrator.api.networks import attacked, tensorize
    from orchestrator.api.results import Results, open_results, pivot
    from orchestrator.api.sweeps import Sweep, SweepPlan, launch, plan, sweep
    from orchestrator.audit.bundle.verify import Verification, verify
    from orchestrator.audit.notebook import Audit, audit
    from orchestrator.report.examples.attacked import AttackedExamples
    from workers.data.loading.source import Dataset, Split
    from workers.defences.base import ActivationDefence, Defence
    from workers.runtime.stored_models import load_model_file as load_model

__all__ = [
    "ActivationDefence",
    "AttackedExamples",
    "Audit",
    "Dataset",
    "DatasetInfo",
    "Defence",
    "Results",
    "Split",
    "Sweep",
    "SweepPlan",
    "Verification",
    "attack",
    "attacked",
    "audit",
    "corruption",
    "dataset",
    "defence",
    "launch",
    "load_model",
    "loss",
    "metric",
    "model",
    "open_results",
    "pivot",
    "plan",
    "sweep",
    "tensorize",
    "verify",
]

_PLACES = {
    "ActivationDefence": "workers.defences.base",
    "AttackedExamples": "orchestrator.report.examples.attacked",
    "Audit": "orchestrator.audit.notebook",
    "Dataset": "workers.data.loading.source",
    "Defence": "workers.defences.base",
    "Results": "orchestrator.api.results",
    "Split": "workers.data.loading.source",
    "Sweep": "orchestrator.api.sweeps",
    "SweepPlan": "orchestrator.api.sweeps",
    "Verification": "orchestrator.audit.bundle.verify",
    "attacked": "orchestrator.api.networks",
    "audit": "orchestrator.audit.notebook",
    "launch": "orchestrator.api.sweeps",
    "load_model": "workers.runtime.stored_models",
    "open_results": "orchestrator.api.results",
    "pivot": "orchestrator.api.results",
    "plan": "orchestrator.api.sweeps",
    "sweep": "orchestrator.api.sweeps",
    "tensorize": "orchestrator.api.networks",
    "verify": "orchestrator.audit.bundle.verify",
}
_CALLED_THERE = {"load_model": "load_model_file"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'robustsweep' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), _CALLED_THERE.get(name, name))
