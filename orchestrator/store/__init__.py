"""The results store: SQL tables of sweeps, jobs, attempts and results. Only the driver writes; readers get frozen values."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestrator.statistics.intervals import accuracy_interval, interval_over_seeds
from orchestrator.statistics.spread import Spread, standard_errors
from orchestrator.store.connection.session import Store, StoreMissing, open_store, schema_revision
from orchestrator.store.reading.conditions import Condition, field_name, parse_conditions
from orchestrator.store.reading.example_outcomes import success_probabilities
from orchestrator.store.reading.model_verdicts import model_verdicts
from orchestrator.store.reading.result_rows import finished_keys, job_keys, result_rows, sweep_names
from orchestrator.store.reading.surface_rows import surface_rows
from orchestrator.store.reading.sweep_status import failures, sweep_status
from orchestrator.store.reading.values import Failure, ModelVerdict, ResultRow, StageCounts, SurfaceRow, SweepStatus

if TYPE_CHECKING:
    from orchestrator.store.writing.driver_lease import end_driving, heartbeat, launch_sweep
    from orchestrator.store.writing.record import record_failure, record_result, start_attempt

__all__ = [
    "Condition",
    "Failure",
    "ModelVerdict",
    "ResultRow",
    "Spread",
    "StageCounts",
    "Store",
    "StoreMissing",
    "SurfaceRow",
    "SweepStatus",
    "accuracy_interval",
    "end_driving",
    "failures",
    "field_name",
    "finished_keys",
    "heartbeat",
    "interval_over_seeds",
    "job_keys",
    "launch_sweep",
    "model_verdicts",
    "open_store",
    "parse_conditions",
    "record_failure",
    "record_result",
    "result_rows",
    "schema_revision",
    "standard_errors",
    "start_attempt",
    "success_probabilities",
    "surface_rows",
    "sweep_names",
    "sweep_status",
]

_WRITING = {
    **dict.fromkeys(("end_driving", "heartbeat", "launch_sweep"), "driver_lease"),
    **dict.fromkeys(("record_failure", "record_result", "start_attempt"), "record"),
}


def __getattr__(name: str) -> Any:
    """Import what writes when it is first asked for: commands that read start faster without it."""
    if name not in _WRITING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.writing.{_WRITING[name]}"), name)
