"""Every setting of a trained model and of what is measured of it, under the names that a space file has for them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from orchestrator.store.aggregate import Setting
from orchestrator.store.pools import trained_jobs

_SECTIONS = {"pretrain": "training", "fine_tune": "fine_tuning"}
_EVALUATION = {"n_examples": "evaluation.examples", "batch_size": "evaluation.batch_size", "draws": "evaluation.draws"}


def model_settings(connection: Connection, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    """For each model its data, architecture, defence and seed, and how it and its ancestors were trained: `model.theta`,
    `fine_tuning.epochs`. A model that comes from no fine-tuning has no setting of that."""
    specs, parents = trained_jobs(connection)
    return {key: _settings(key, specs, parents) for key in keys}


def _settings(key: str, specs: Mapping[str, str], parents: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    spec = json.loads(specs[key])
    found: dict[str, Any] = {"seed": spec["seed"]}
    for section in ("data", "model", "defence"):
        found |= {f"{section}.{name}": value for name, value in spec[section].items()}
    return _training(key, specs, parents) | found


def _training(key: str, specs: Mapping[str, str], parents: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """How the model and its ancestors were trained, the nearest of two fine-tunings first."""
    spec = json.loads(specs[key])
    parent = parents.get(key, {}).get("weights")
    found = {} if parent is None else _training(parent, specs, parents)
    section = _SECTIONS.get(spec["stage"])
    if section is None:  # a defence was put around a trained model, whose settings it repeats
        return found
    return found | {f"{section}.{name}": value for name, value in spec["training"].items() if name != "recipe"}


def measured_settings(setting: Setting, *, source: str | None) -> dict[str, Any]:
    """The attack and the evaluation; the model that transferred examples come from in words, by how it differs from the attacked one."""
    named = {_EVALUATION.get(name, name): value for name, value in asdict(setting).items() if name != "source_key"}
    return named | {"source": source}
