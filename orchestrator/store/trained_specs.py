"""Reads of the specs by which models were trained."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from orchestrator.store.models import JobParentRecord, JobRecord
from orchestrator.store.result_models import CleanResultRecord
from orchestrator.store.session import Store

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrainedSpec:
    """Model whose clean accuracy is known: its own spec, that of the ancestor that was trained from scratch, and the distinct attacks
    on it."""

    key: str
    spec: Spec
    pretraining: Spec
    attacks: tuple[Spec, ...]


def trained_specs(store: Store) -> list[TrainedSpec]:
    """Return the models that were measured, by key."""
    with store.reading() as connection:
        measured = sorted(connection.execute(select(CleanResultRecord.model_key).distinct()).scalars())
        trained = _specs(connection, ("pretrain", "fine_tune", "defend"))
        attacks = _attacks(connection)
        edges = select(JobParentRecord.child_key, JobParentRecord.parent_key).where(JobParentRecord.role == "weights")
        weights = {child: parent for child, parent in connection.execute(edges)}  # noqa: C416 (rows, not tuples, to a type checker)
    found = []
    for key in (key for key in measured if key in trained):
        first = key
        while first in weights:
            first = weights[first]
        found.append(TrainedSpec(key, trained[key], trained.get(first, trained[key]), attacks.get(key, ())))
    return found


def _specs(connection: Connection, stages: tuple[str, ...]) -> dict[str, Spec]:
    statement = select(JobRecord.key, JobRecord.spec).where(JobRecord.stage.in_(stages), JobRecord.state == "done")
    return {row.key: json.loads(row.spec) for row in connection.execute(statement)}


def _attacks(connection: Connection) -> dict[str, tuple[Spec, ...]]:
    """Return the settings of each model's attacks, those of an attack's repeats once, with their knowledge among them."""
    statement = select(JobParentRecord.parent_key, JobRecord.spec).join(JobRecord, JobRecord.key == JobParentRecord.child_key)
    rows = connection.execute(statement.where(JobParentRecord.role == "model", JobRecord.stage == "attack", JobRecord.state == "done"))
    found: defaultdict[str, dict[str, Spec]] = defaultdict(dict)
    for model, text in rows:
        spec = json.loads(text)
        settings = {**spec["attack"], "attack": spec["attack"]["name"], "epsilon": spec["attack"]["epsilon_literal"]}
        settings["knowledge"] = spec["knowledge"]
        found[model].setdefault(json.dumps(settings, sort_keys=True), settings)
    return {model: tuple(attacks.values()) for model, attacks in found.items()}
