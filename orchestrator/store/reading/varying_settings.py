"""Settings of a trained model and of its measurements, under the names that a space file has for them."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, select

from orchestrator.store.reading.aggregate import Setting
from orchestrator.store.reading.stored_specs import flat_spec
from orchestrator.store.schema.sweep_tables import JobParentRecord, JobRecord

_SECTIONS = {"pretrain": "training", "fine_tune": "fine_tuning"}
_UNSET = frozenset({"source_key", "attack_settings", "takes_gradients", "random_start", "selects", "one_step"})
_EVALUATION = {"n_examples": "evaluation.examples", "batch_size": "evaluation.batch_size", "draws": "evaluation.draws"}


def model_settings(connection: Connection, keys: Set[str]) -> dict[str, dict[str, Any]]:
    """Return for each model its data, architecture, defence and seed, and the training of it and its ancestors: `model.theta`,
    `fine_tuning.epochs`. A model that comes from no fine-tuning has no setting of that."""
    specs, parents = _lineages(connection, keys)
    return {key: _settings(key, specs, parents) for key in keys}


def _lineages(connection: Connection, keys: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the specs, as JSON, of the models and their ancestors, and for each the model whose weights it started from, by key."""
    specs: dict[str, str] = {}
    parents: dict[str, str] = {}
    frontier = set(keys)
    while frontier:
        specs |= {row.key: row.spec for row in connection.execute(select(JobRecord.key, JobRecord.spec).where(JobRecord.key.in_(frontier)))}
        edges = select(JobParentRecord.child_key, JobParentRecord.parent_key).where(JobParentRecord.role == "weights")
        found = {row.child_key: row.parent_key for row in connection.execute(edges.where(JobParentRecord.child_key.in_(frontier)))}
        parents |= found
        frontier = set(found.values()) - set(specs)
    return specs, parents


def _settings(key: str, specs: Mapping[str, str], parents: Mapping[str, str]) -> dict[str, Any]:
    spec = flat_spec(specs[key])
    found: dict[str, Any] = {"seed": spec["seed"]}
    for section in ("data", "model", "defence"):
        found |= {f"{section}.{name}": value for name, value in spec[section].items() if name != "rank_fractions" or value}
    return _training(key, specs, parents) | found


def _training(key: str, specs: Mapping[str, str], parents: Mapping[str, str]) -> dict[str, Any]:
    """Return the training settings of the model and its ancestors, those of the nearest of two fine-tunings."""
    spec = flat_spec(specs[key])
    found = _training(parents[key], specs, parents) if key in parents else {}
    section = _SECTIONS.get(spec["stage"])
    if section is None:  # a defence was put around a trained model, whose settings it repeats
        return found
    return found | {f"{section}.{name}": value for name, value in spec["training"].items() if name != "recipe"}


def measured_settings(setting: Setting, *, source: str | None) -> dict[str, Any]:
    """Return the attack and the evaluation; `source` describes how the model of transferred examples differs from the attacked one."""
    settings = {name: value for name, value in asdict(setting).items() if name not in _UNSET}
    named = {_EVALUATION.get(name, name): value for name, value in settings.items()}
    return {**named, **dict(setting.attack_settings), "source": source}
