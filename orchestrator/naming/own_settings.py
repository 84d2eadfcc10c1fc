"""Settings by the names that a space file has for them: `steps` or `attacks.steps`, `width`, `training.learning_rate`; and metrics.

A bare name is that of the one section that has such a setting. What there is comes from the rows and from the registry, so that components
that are not installed here are found too.
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from typing import Any

from workers.components.component_registry import Registry
from workers.registry import ATTACKS, DATASETS, DEFENCES, LOSSES, METRICS, MODELS
from workers.spec.component import ComponentSpec
from workers.spec.fields import fraction, spelled
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec

SECTIONS: dict[str, tuple[str, ...]] = {
    "attacks": ("attack_settings",),
    "model": ("model_settings", "model_options"),
    "data": ("data_settings",),
    "defence": ("defence_settings",),
    "metrics": ("metrics",),
    "training": ("training",),
    "fine_tuning": ("fine_tuning",),
}
"""The fields of a row that hold the settings of each section of a space file."""
FIELDS: dict[str, str] = {
    "data.name": "dataset",
    "data.train_examples": "train_examples",
    "data.validation_examples": "validation_examples",
    "model.name": "model",
    **{f"model.{name}": name for name in ("tensorized", "rank_fraction", "rank_kind", "rank_fractions", "theta")},
    **{f"model.{name}": name for name in ("sketch_modes", "rescale", "binary")},
    "defence.name": "defence",
    "attacks.attack": "attack",
    **{f"attacks.{name}": name for name in ("knowledge", "source", "norm", "epsilon", "target", "restarts", "eot_samples")},
    **{f"attacks.{name}": name for name in ("selection_draws", "early_stop", "backend", "sign_gradient", "loss")},
    "evaluation.examples": "n_examples",
    "evaluation.split": "split",
    **{f"evaluation.{name}": name for name in ("draws", "repeats")},
    "evaluation.batch_size": "evaluation_batch_size",
    "evaluation.order": "example_order",
}
"""The fields of a row that are settings, by the names of those in a space file."""
_OWN: dict[str, Registry[Any]] = {"attacks": ATTACKS, "model": MODELS, "data": DATASETS, "defence": DEFENCES}
_PLAIN = (str, int, float, type(None))  # a tuple: a union is made anew, and takes twice as long
_NUMBERS = (int, float)
_IN_FULL: dict[str, type[ComponentSpec]] = {"model": ModelSpec, "training": TrainingSpec, "fine_tuning": TrainingSpec}


def value_of(row: Any, name: str) -> Any:
    """A field of a row, or a setting by its name; None where the row has no such setting."""
    if not hasattr(row, "__dataclass_fields__"):
        if name in row:
            return row[name]
    elif name in row.__dataclass_fields__:
        return getattr(row, name)
    section, _, setting = name.rpartition(".")
    for of_section in [section] if section else SECTIONS:
        for field in SECTIONS.get(of_section, ()):
            if setting in (found := held(row, field)):
                return as_written(setting, found[setting])
    return None


def as_written(setting: str, value: Any) -> Any:
    """A setting's value as one writes it: a spec has its epsilons in lowest terms, `8/85` for `24/255`."""
    return [spelled(float(fraction(end))) for end in value] if setting == "adversarial_epsilon" and value else value


def held(row: Any, field: str) -> Mapping[str, Any]:
    """The settings in a field of a row, which may be a mapping of its fields."""
    return (getattr(row, field, None) if hasattr(row, "__dataclass_fields__") else row.get(field)) or {}


def own_names(rows: Iterable[Any] = (), sections: Iterable[str] = ("attacks", "model", "data", "defence", "metrics")) -> tuple[str, ...]:
    """The names of the own settings of components, and of metrics: those that are registered, then others that rows have; with the section
    where another one, or a field of the rows, has the same name."""
    found = {section: dict.fromkeys(names) for section, names in _registered().items()}
    for row in rows:
        for section, names in found.items():
            if settings := held(row, SECTIONS[section][0]):
                names.update(dict.fromkeys(settings))
    times = Counter(name for names in found.values() for name in names) + Counter(set(FIELDS.values()) - found["attacks"].keys())
    return tuple(name if times[name] == 1 else f"{section}.{name}" for section in sections for name in found[section])


def named_settings(name: str, rows: Iterable[Any] = ()) -> tuple[str, ...]:
    """The settings that users may mean by a name, with their sections: those that the rows have, or else those that are registered.

    The setting of a fine-tuning is not another one where it is that of the training throughout.
    """
    section, _, setting = name.rpartition(".")
    places = [place for place in SECTIONS if section in ("", place)]
    known = list(rows)
    found = [place for place in places if any(setting in held(row, field) for row in known for field in SECTIONS[place])]
    if not section and {"training", "fine_tuning"}.issubset(found) and all(_is_inherited(row, setting) for row in known):
        found.remove("fine_tuning")
    return tuple(f"{place}.{setting}" for place in found or [place for place in places if setting in _declared(place)][:1])


def _is_inherited(row: Any, setting: str) -> bool:
    trained, tuned = held(row, "training"), held(row, "fine_tuning")
    return setting not in tuned or tuned[setting] == trained.get(setting)


def declared_names() -> frozenset[str]:
    """The bare names of all settings that are registered."""
    return frozenset(name for section in SECTIONS for name in _declared(section))


def _declared(section: str) -> set[str]:
    if section not in _IN_FULL:
        return set(_registered()[section])
    own = _registered()["model"] if section == "model" else _own_of(LOSSES)
    return (set(_IN_FULL[section].model_fields) - {"name", "settings"}) | set(own)


@cache
def _names(versions: tuple[int, ...]) -> dict[str, tuple[str, ...]]:  # noqa: ARG001 (what is registered changes with them)
    return {**{section: tuple(_own_of(registry)) for section, registry in _OWN.items()}, "metrics": METRICS.names()}


@cache
def _places(versions: tuple[int, ...]) -> dict[str, int]:  # noqa: ARG001 (see _names)
    return {name: number for number, name in enumerate(own_names())}


def _registered() -> dict[str, tuple[str, ...]]:
    return _names(_versions())


def _versions() -> tuple[int, ...]:
    """Numbers that change with what is registered."""
    registries = (*_OWN.values(), METRICS)
    for registry in registries:
        registry.find("")  # our components are registered when they are first asked for
    return tuple(registry.version for registry in registries)


def _own_of(registry: Registry[Any]) -> dict[str, None]:
    return {name: None for component in registry.known() for name in component.settings.model_fields}


def hashable(value: Any) -> Hashable:
    """A JSON value as one that can be hashed; mappings are sorted by name."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return tuple((name, hashable(item)) for name, item in sorted(value.items()))
    return tuple(map(hashable, value)) if isinstance(value, list | tuple) else value


def sortable(value: Any) -> tuple[int, float, str]:
    """A key by which JSON values of any kind can be sorted: nothing, numbers, all else."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, _NUMBERS):
        return (1, float(value), "")
    return (2, 0.0, value if isinstance(value, str) else json.dumps(value, sort_keys=True))


def in_order(settings: Mapping[str, Any] | None) -> tuple[Hashable, ...]:
    """A key by which settings can be sorted: first by those that are declared first."""
    if not settings:
        return ()
    place = _places(_versions())
    named = sorted(settings.items(), key=lambda item: (place.get(item[0], len(place)), item[0]))
    return tuple((place.get(name, len(place)), name, sortable(value)) for name, value in named)
