"""Kinds of settings, as their declarations say them: what a column of them is of."""

from collections.abc import Callable, Iterator
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from workers.components.component_registry import Registry
from workers.registry import ATTACKS, DATASETS, DEFENCES, LOSSES, METRICS, MODELS
from workers.spec.model import ModelSpec
from workers.spec.step_settings import IsNumber
from workers.spec.training import TrainingSpec

SettingKind = Literal["boolean", "number", "text", "whole"]
_KINDS: dict[Any, SettingKind] = {bool: "boolean", int: "whole", float: "number"}


def kinds(model: type[BaseModel]) -> dict[str, SettingKind]:
    """The kind of each field of a model, but for the name and the settings of a component."""
    fields = {name: field for name, field in model.model_fields.items() if name not in ("name", "settings")}
    return {name: _kind({*_parts(field.annotation), *_marked(field.metadata)}) for name, field in fields.items()}


def kinds_of_components(registry: Registry[Any]) -> dict[str, SettingKind]:
    """The kinds of the own settings of all components of a registry; a name that has several kinds is text."""
    found: dict[str, set[SettingKind]] = {}
    for component in registry.known():
        for name, kind in kinds(component.settings).items():
            found.setdefault(name, set()).add(kind)
    return {name: (kinds_of_it.pop() if len(kinds_of_it) == 1 else "text") for name, kinds_of_it in found.items()}


def declared_kind(name: str) -> SettingKind | None:
    """The kind of a setting or metric by its name, as `value_of` finds it; None where it is not registered."""
    section, _, setting = name.rpartition(".")
    for of_section in [section] if section else _DECLARED:
        if setting in (found := _DECLARED[of_section]() if of_section in _DECLARED else {}):
            return found[setting]
    return None


def training_kinds() -> dict[str, SettingKind]:
    """The kinds of the settings of a training, those of all losses included."""
    return {**kinds(TrainingSpec), **kinds_of_components(LOSSES)}


_DECLARED: dict[str, Callable[[], dict[str, SettingKind]]] = {
    "attacks": lambda: kinds_of_components(ATTACKS),
    "model": lambda: {**kinds_of_components(MODELS), **kinds(ModelSpec)},
    "data": lambda: kinds_of_components(DATASETS),
    "defence": lambda: kinds_of_components(DEFENCES),
    "metrics": lambda: dict.fromkeys(METRICS.names(), "number"),
    "training": training_kinds,
    "fine_tuning": training_kinds,
}


def _kind(parts: set[Any]) -> SettingKind:
    known = {_KINDS[part] for part in parts if part in _KINDS}
    return known.pop() if len(known) == 1 and not parts - set(_KINDS) - {type(None), Any} else "text"


def _parts(annotation: Any) -> Iterator[Any]:
    """The types in an annotation, those of a union one by one."""
    parts = get_args(annotation)
    if not parts or (isinstance(get_origin(annotation), type) and get_origin(annotation) is not UnionType):
        yield annotation
        return
    for part in parts if getattr(annotation, "__metadata__", None) is None else parts[:1]:
        yield from _parts(part)
    yield from _marked(getattr(annotation, "__metadata__", ()))


def _marked(metadata: Any) -> Iterator[Any]:
    """The numbers that a type hides; a `literal` is stored as a number."""
    return (int if mark.kind == "int" else float for mark in metadata if isinstance(mark, IsNumber))
