"""The settings of a space: types and defaults as the schema declares them, each with one line that says what it is."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from orchestrator.naming.glossary.legal_values import legal_values, of_one_value
from search_spaces.schema.axes import AxisSection
from search_spaces.schema.component_axes import ComponentAxes
from search_spaces.schema.registered_sections import LISTS, sections
from search_spaces.schema.search_section import SearchSection
from search_spaces.schema.wording import word
from search_spaces.space import Space
from workers.components.settings import Frozen
from workers.spec.component import DataSpec, DefenceSpec
from workers.spec.model import ModelSpec
from workers.spec.surface import SurfaceSettings
from workers.spec.training import TrainingSpec

_SPECS: dict[str, type[Frozen]] = {
    "data": DataSpec,
    "model": ModelSpec,
    "defence": DefenceSpec,
    "training": TrainingSpec,
    "surfaces": SurfaceSettings,
}
"""Specs whose defaults an axis has that is left out."""
_INHERITED = "as in training"
_NAME = "name"
_HEADER = ("name", "description", "method")


class SettingEntry(NamedTuple):
    """One setting of a space; `values` says what one value may be, `default` what it is where it is left out."""

    section: str
    name: str
    is_axis: bool
    values: str
    default: str
    about: str

    @property
    def path(self) -> str:
        """Its path in a space file: `model.theta`, `attacks.epsilon`, `seed`."""
        return f"{self.section}.{self.name}" if self.section else self.name


def settings() -> list[SettingEntry]:
    """The settings of a space in the order of the schema, those of registered components included."""
    return [*_of_the_space(), *(row for name, section in _sections().items() for row in _of_a_section(name, section))]


def _sections() -> dict[str, type[Frozen]]:
    return {**sections(), "search": SearchSection}


def _of_the_space() -> Iterator[SettingEntry]:
    about = _about()["space"]
    for name in _HEADER:
        field = Space.model_fields[name]
        default = "the file's name" if name == "name" else _written(field.default)
        yield SettingEntry("", name, False, legal_values(field.annotation, field.metadata), default, about[name])
    yield SettingEntry("", "plugins", False, "list of names", "none", about["plugins"])
    yield SettingEntry("", "seed", True, "whole number >= 0", "0", about["seed"])
    yield SettingEntry("", "variants", False, "list of parts of a space", "one grid", about["variants"])


def _of_a_section(section: str, declared: type[Frozen]) -> Iterator[SettingEntry]:
    about = _about().get(section, {})
    axes = issubclass(declared, AxisSection)
    for name, field in declared.model_fields.items():
        values = (
            _NAME if _names_a_component(declared, name) else of_one_value(field) if axes else legal_values(field.annotation, field.metadata)
        )
        yield SettingEntry(section, name, axes, values, _default(section, declared, name, field), about.get(name, ""))


def _names_a_component(declared: type[Frozen], name: str) -> bool:
    return issubclass(declared, ComponentAxes) and name == declared.named_by


def _default(section: str, declared: type[Frozen], name: str, field: FieldInfo) -> str:
    """The default as a file would write it; that of a component's own setting is the components'."""
    if section == "fine_tuning":
        return _INHERITED
    if issubclass(declared, ComponentAxes) and name in declared.own:
        return _of_components(declared, name)
    if field.is_required():
        return "required"
    given = field.get_default()
    if given in ((), None) and (spec := _SPECS.get(section)) is not None and name in spec.model_fields:
        return "required" if spec.model_fields[name].is_required() else _written(spec.model_fields[name].get_default())
    value = given[0] if isinstance(given, tuple) and len(given) == 1 and section in LISTS else given
    return _written(value)


def _of_components(declared: type[ComponentAxes], name: str) -> str:
    """Default of a setting of components, the commonest first, then those of others with their names."""
    with_it = [found for found in declared.registry.known() if name in found.settings.model_fields]
    fields: dict[str, FieldInfo] = {found.name: found.settings.model_fields[name] for found in with_it}
    written = {one: "required" if field.is_required() else _written(field.default) for one, field in fields.items()}
    common, _ = Counter(written.values()).most_common(1)[0]
    return ", ".join([common, *(f"{value} ({one})" for one, value in written.items() if value != common)])


def _written(value: Any) -> str:
    """A value as a file writes it."""
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "{}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_written(item) for item in value) + "]" if value else "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "empty" if value == "" else word(value)


@cache
def _about() -> dict[str, dict[str, str]]:
    """Meaning of each setting, by section and name."""
    found: dict[str, dict[str, str]] = yaml.safe_load(files("orchestrator.naming.glossary").joinpath("settings.yaml").read_text())
    return found
