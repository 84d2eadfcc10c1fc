"""Settings by the names that a space file has for them: `steps` or `attacks.steps`, `width`, `training.learning_rate`; and metrics.

A bare name is looked up section by section, in the order of `SECTIONS`. What there is comes from the rows and from the registry, so that
components that are not installed here are found too.
"""

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from workers.registry import ATTACKS, DATASETS, DEFENCES, LOSSES, METRICS, MODELS, Registry
from workers.spec.component import ComponentSpec
from workers.spec.job import ModelSpec
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
_OWN: dict[str, Registry[Any]] = {"attacks": ATTACKS, "model": MODELS, "data": DATASETS, "defence": DEFENCES}
_IN_FULL: dict[str, type[ComponentSpec]] = {"model": ModelSpec, "training": TrainingSpec, "fine_tuning": TrainingSpec}


def value_of(row: Any, name: str) -> Any:
    """A field of a row, or a setting by its name; None where the row has no such setting."""
    if isinstance(row, Mapping):
        if name in row:
            return row[name]
    elif name in row.__dataclass_fields__:
        return getattr(row, name)
    section, _, setting = name.rpartition(".")
    for of_section in [section] if section else SECTIONS:
        for held in SECTIONS.get(of_section, ()):
            if setting in (found := _held(row, held)):
                return found[setting]
    return None


def _held(row: Any, field: str) -> Mapping[str, Any]:
    """The settings in a field of a row, which may be a mapping of its fields."""
    return (row.get(field) if isinstance(row, Mapping) else getattr(row, field, None)) or {}


def own_names(rows: Iterable[Any] = (), sections: Iterable[str] = ("attacks", "model", "data", "defence", "metrics")) -> tuple[str, ...]:
    """The names of the own settings of components, and of metrics: those that are registered, then others that rows have."""
    wanted, registered = tuple(sections), _registered()
    found = dict.fromkeys(name for section in wanted for name in registered[section])
    for row in rows:
        for section in wanted:
            found |= dict.fromkeys(_held(row, SECTIONS[section][0]))
    return tuple(found)


def varying_names(rows: Sequence[Any]) -> tuple[str, ...]:
    """The settings of models that differ among rows, under their names in a space file: `training.learning_rate`, `model.execution`.

    What a field of the rows says too is left out.
    """
    found: dict[str, set[Hashable]] = {}
    told: dict[str, bool] = {}
    for row in rows:
        for section, field in (("model", "model_options"), ("training", "training"), ("fine_tuning", "fine_tuning")):
            for setting, value in _held(row, field).items():
                name = f"{section}.{setting}"
                found.setdefault(name, set()).add(hashable(value))
                told[name] = told.get(name, True) and getattr(row, setting, found) == value
    return tuple(name for name, values in found.items() if len(values) > 1 and not told[name])


def setting_names(rows: Iterable[Any] = ()) -> frozenset[str]:
    """Every name that `value_of` finds a setting by: in what is registered, or in the rows."""
    found = {section: set(names) for section, names in _registered().items()}
    for section, spec in _IN_FULL.items():
        own = () if section == "model" else _own_of(LOSSES)
        found.setdefault(section, set()).update(set(spec.model_fields) - {"name", "settings"}, own)
    for row in rows:
        for section, fields in SECTIONS.items():
            found[section].update(*(_held(row, field) for field in fields))
    bare = {name for names in found.values() for name in names}
    return frozenset(bare | {f"{section}.{name}" for section, names in found.items() for name in names})


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
    return {name: None for component in registry for name in component.settings.model_fields}


def hashable(value: Any) -> Hashable:
    """A JSON value as one that can be hashed; mappings are sorted by name."""
    if isinstance(value, Mapping):
        return tuple((name, hashable(item)) for name, item in sorted(value.items()))
    return tuple(map(hashable, value)) if isinstance(value, list | tuple) else value


def sortable(value: Any) -> tuple[int, float, str]:
    """A key by which JSON values of any kind can be sorted: nothing, numbers, all else."""
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, json.dumps(value, sort_keys=True))


def in_order(settings: Mapping[str, Any] | None) -> tuple[Hashable, ...]:
    """A key by which settings can be sorted: first by those that are declared first."""
    if not settings:
        return ()
    place = _places(_versions())
    named = sorted(settings.items(), key=lambda item: (place.get(item[0], len(place)), item[0]))
    return tuple((place.get(name, len(place)), name, sortable(value)) for name, value in named)
