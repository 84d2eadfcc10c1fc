"""The results store: SQL tables of sweeps, jobs, attempts and results. Only the driver writes; readers get frozen values."""

from orchestrator.store.conditions import Condition, field_name, parse_conditions
from orchestrator.store.driving import begin_driving, end_driving, heartbeat, launch_sweep
from orchestrator.store.examples import success_probabilities
from orchestrator.store.intervals import accuracy_interval, interval_over_seeds
from orchestrator.store.progress import failures, sweep_status
from orchestrator.store.query import finished_keys, job_keys, result_rows, sweep_names
from orchestrator.store.session import Store, StoreMissing, open_store, schema_revision
from orchestrator.store.spread import Spread, standard_errors
from orchestrator.store.surfaces import surface_rows
from orchestrator.store.values import Failure, ModelVerdict, ResultRow, StageCounts, SurfaceRow, SweepStatus
from orchestrator.store.verdicts import model_verdicts
from orchestrator.store.write import record_failure, record_result, record_sweep, start_attempt

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
    "begin_driving",
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
    "record_sweep",
    "result_rows",
    "schema_revision",
    "standard_errors",
    "start_attempt",
    "success_probabilities",
    "surface_rows",
    "sweep_names",
    "sweep_status",
]
