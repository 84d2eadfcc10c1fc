"""Attacks of diagnoses as measurements: they are stored with the diagnosis, not as results."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, select

from orchestrator.naming.own_settings import hashable
from orchestrator.store.connection.session import of_sweep
from orchestrator.store.reading.measured import Measurement, Setting
from orchestrator.store.schema.result_tables import DiagnosisRecord
from orchestrator.store.schema.sweep_tables import SweepJobRecord, SweepRecord

_SETTING = (
    "attack",
    "norm",
    "epsilon",
    "takes_gradients",
    "random_start",
    "selects",
    "one_step",
    "loss",
    "target",
    "restarts",
    "eot_samples",
    "selection_draws",
    "early_stop",
    "backend",
    "sign_gradient",
)
_COLUMNS = (
    DiagnosisRecord.job_key,
    DiagnosisRecord.model_key,
    DiagnosisRecord.n_examples,
    DiagnosisRecord.probes,
)


def probes_in(connection: Connection, sweep: int | None, *, every_space: bool) -> list[Measurement]:
    """Return the attacks of a sweep's diagnoses, or of all sweeps', one for each sweep that holds the diagnosis."""
    statement = of_sweep(select(SweepRecord.name.label("sweep"), *_COLUMNS), DiagnosisRecord.job_key, sweep, every_space=every_space)
    return list(_measurements(connection, statement.join(SweepRecord, SweepRecord.id == SweepJobRecord.sweep_id)))


def probes_on(connection: Connection, models: Any) -> list[Measurement]:
    """Return the attacks of all diagnoses of these models, of no sweep."""
    return list(_measurements(connection, select(*_COLUMNS).where(DiagnosisRecord.model_key.in_(models))))


def _measurements(connection: Connection, statement: Select[*tuple[Any, ...]]) -> Iterator[Measurement]:
    for row in connection.execute(statement).mappings():
        for probe in row["probes"]:
            if not probe["failure"]:
                yield _measurement(row, probe)


def _measurement(row: Mapping[Any, Any], probe: Mapping[str, Any]) -> Measurement:
    attack = probe["attack"]
    own = tuple((name, hashable(value)) for name, value in sorted(attack["settings"].items()))
    setting = Setting(
        **{name: attack[name] for name in _SETTING},
        knowledge=probe["knowledge"],
        attack_settings=own,
        n_examples=row["n_examples"],
        evaluation_batch_size=row["n_examples"],  # no column says it, and nothing is grouped by it
        draws=probe["draws"],
    )
    return Measurement(
        sweep=row.get("sweep", ""),
        model_key=row["model_key"],
        job_key=row["job_key"],
        setting=setting,
        epsilon_literal=attack["epsilon_literal"],
        repeat=0,
        flags=base64.b64decode(probe["flags"]),
    )
