"""Settings of a trained model and of its measurements, under the names that a space file has for them."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any, get_args

from sqlalchemy import Connection, select

from orchestrator.naming.names import job_description
from orchestrator.naming.varying_axes import Axes, lineages
from orchestrator.store.connection.session import parents_of, rows_in
from orchestrator.store.reading.measured import Setting
from orchestrator.store.reading.stored_specs import flat_spec
from orchestrator.store.schema.sweep_tables import JobRecord, SweepJobRecord
from workers.spec.fields import TrainingStage

_UNSET = frozenset({"source_key", "attack_settings", "takes_gradients", "random_start", "selects", "one_step", "asked_examples"})
_EVALUATION = {
    "n_examples": "evaluation.examples",
    "evaluation_batch_size": "evaluation.batch_size",
    "draws": "evaluation.draws",
    "split": "evaluation.split",
    "example_order": "evaluation.order",
}


def model_settings(connection: Connection, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return for each model its data, architecture, defence and seed, and the training of it and its ancestors: `model.theta`,
    `fine_tuning.epochs`. A model that comes from no fine-tuning has no setting of that."""
    wanted = list(keys)
    parents = weights_parents(connection, wanted)
    rows = rows_in(connection, select(JobRecord.key, JobRecord.spec), JobRecord.key, (*wanted, *parents.values()))
    described = lineages({row.key: flat_spec(row.spec) for row in rows}, parents)
    return {key: described[key] for key in wanted}


def weights_parents(connection: Connection, models: Iterable[str]) -> dict[str, str]:
    """Return, for each model that started from another's weights, that one: of these models and of all their ancestors."""
    parents: dict[str, str] = {}
    frontier = set(models)
    while frontier:
        found = parents_of(connection, frontier, role="weights")
        parents |= found
        frontier = set(found.values()) - set(parents)
    return parents


def sweep_models(connection: Connection, sweeps: Collection[int] | None) -> dict[str, dict[str, Any]]:
    """Return the settings of the models in the spaces of these sweeps (None: of all), by key."""
    held = select(SweepJobRecord.job_key).where(SweepJobRecord.in_space, SweepJobRecord.stage.in_(get_args(TrainingStage)))
    held = held if sweeps is None else held.where(SweepJobRecord.sweep_id.in_(sweeps))
    return model_settings(connection, connection.execute(held.distinct()).scalars())


def job_labels(connection: Connection, specs: Mapping[str, str], sweeps: Collection[int] | None) -> dict[str, str]:
    """Describe jobs, given the JSON of their specs by key: models by the settings in which those of these sweeps differ,
    `theta 0.9, learning_rate 0.1`, or in full where they do not; a measurement with its model."""
    if not specs:
        return {}
    of_models = parents_of(connection, specs, role="model")
    models = sweep_models(connection, sweeps)
    trained = {key for key, text in specs.items() if json.loads(text)["stage"] in get_args(TrainingStage)}
    models |= model_settings(connection, {*of_models.values(), *trained} - set(models))
    axes = Axes.of(models.values())
    return {key: _job_label(text, axes, models.get(of_models.get(key, key)), is_model=key in trained) for key, text in specs.items()}


def _job_label(text: str, axes: Axes, model: Mapping[str, Any] | None, *, is_model: bool) -> str:
    if model is None or not axes:
        return job_description(text)
    return axes.label(model) if is_model else f"{job_description(text)}, on {axes.label(model)}"


def measured_settings(setting: Setting, *, source: str | None) -> dict[str, Any]:
    """Return the attack and the evaluation; `source` describes how the model of transferred examples differs from the attacked one."""
    settings = {name: value for name, value in asdict(setting).items() if name not in _UNSET}
    named = {_EVALUATION.get(name, name): value for name, value in settings.items()}
    return {**named, **dict(setting.attack_settings), "source": source}
