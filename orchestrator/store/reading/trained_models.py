"""Reads of trained models and of their training."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Double, cast, func, select

from orchestrator.naming.own_settings import value_of
from orchestrator.naming.varying_axes import column_names
from orchestrator.store.connection.read_only_sql import NamedRows
from orchestrator.store.connection.session import Store
from orchestrator.store.reading.job_details import find_key
from orchestrator.store.reading.measurements import trainings_of
from orchestrator.store.reading.stored_specs import flat_spec
from orchestrator.store.schema.result_tables import CleanResultRecord, TrainedModelRecord, VerdictRecord
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord
from orchestrator.terminal import hints
from workers.errors import UserError
from workers.spec.keys import KEY_VERSION

EPOCH_COLUMNS = {"epoch": "int64", "loss": "float64", "accuracy": "float64", "learning_rate": "float64"}
"""Fields of `EpochRecord`, and their NumPy types."""
_LEFT_OUT = {"job_key", "history", "environment_id"}


def trained_models(store: Store) -> NamedRows:
    """Every trained model, sorted by data set, network, theta and key, with its mean clean accuracy over all that was evaluated (None where
    nothing was) and its verdict (None where it was neither attacked nor diagnosed); then the own settings of its components by their names,
    and other settings that differ."""
    model, clean = TrainedModelRecord.__table__, CleanResultRecord
    share = cast(func.sum(clean.n_correct), Double) / func.sum(clean.n_examples * clean.draws)
    accuracy = select(share).where(clean.model_key == model.c.job_key, clean.split == "test").scalar_subquery()
    columns = [column for column in model.columns if column.name not in _LEFT_OUT]
    statement = (
        select(
            model.c.job_key.label("model_key"),
            JobRecord.stage,
            *columns,
            accuracy.label("clean_accuracy"),
            VerdictRecord.verdict,
        )
        .join(JobRecord, JobRecord.key == model.c.job_key)
        .outerjoin(VerdictRecord, VerdictRecord.model_key == model.c.job_key)
        .order_by(model.c.dataset, model.c.model, model.c.theta, model.c.job_key)
    )
    with store.reading() as connection:
        found = connection.execute(statement).mappings().all()
        edges = select(JobParentRecord.child_key, JobParentRecord.parent_key).where(JobParentRecord.role == "weights")
        parents = {row.child_key: row.parent_key for row in connection.execute(edges)}
        trained = {row["model_key"]: (row["stage"], row["training"], parents.get(row["model_key"])) for row in found}
        trainings = trainings_of(connection, trained)
    rows = [{**row, **trainings[row["model_key"]]} for row in found]
    named = [*(str(column.name) for column in statement.selected_columns), "fine_tuning"]
    names = dict.fromkeys([*named, *column_names(rows)])
    return NamedRows(tuple(names), tuple(tuple(value_of(row, name) for name in names) for row in rows))


def history(store: Store, digits: str) -> tuple[Mapping[str, Any], ...]:
    """Return the epochs of a model's training, each as `EpochRecord`; none where only a defence was put around it.

    Raises:
        UserError: no such job, several, or one that is no trained model.
    """
    key = find_key(store, digits)
    with store.reading() as connection:
        found = connection.execute(select(TrainedModelRecord.history).where(TrainedModelRecord.job_key == key)).scalar_one_or_none()
    if found is None:
        raise UserError(
            f"key '{digits}': that job has trained no model yet, or is none that does; "
            f"`{hints.command('show', key[:12], at=store.address)}` says which"
        )
    return tuple(found)


Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrainedSpec:
    """A model whose clean accuracy is known: its own spec, that of the ancestor that was trained from scratch, and the distinct attacks
    on it; all with the own settings of components among their other fields."""

    key: str
    spec: Spec
    pretraining: Spec
    attacks: tuple[Spec, ...]


def trained_specs(store: Store) -> list[TrainedSpec]:
    """The models that were measured, by key, but for those of an earlier key version."""
    with store.reading() as connection:
        measured = sorted(connection.execute(select(CleanResultRecord.model_key).distinct()).scalars())
        trained = _specs(connection, ("pretrain", "fine_tune", "select", "defend"))
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
    rows = connection.execute(statement.where(JobRecord.key_version == KEY_VERSION))
    return {row.key: flat_spec(row.spec) for row in rows}


def _attacks(connection: Connection) -> dict[str, tuple[Spec, ...]]:
    """Return the settings of each model's attacks, those of an attack's repeats once, with their knowledge among them."""
    statement = select(JobParentRecord.parent_key, JobRecord.spec).join(JobRecord, JobRecord.key == JobParentRecord.child_key)
    rows = connection.execute(statement.where(JobParentRecord.role == "model", JobRecord.stage == "attack", JobRecord.state == "done"))
    found: defaultdict[str, dict[str, Spec]] = defaultdict(dict)
    for model, text in rows:
        spec = flat_spec(text)
        settings = {**spec["attack"], "attack": spec["attack"]["name"], "epsilon": spec["attack"]["epsilon_literal"]}
        settings["knowledge"] = spec["knowledge"]
        found[model].setdefault(json.dumps(settings, sort_keys=True), settings)
    return {model: tuple(attacks.values()) for model, attacks in found.items()}
