"""Sections of a space as they are now: with the settings of every component that is registered."""

from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, create_model

from search_spaces.schema.attack_groups import AttackGroup
from search_spaces.schema.component_axes import ComponentAxes, DefenceAxes, with_own_settings
from search_spaces.schema.grid import EvaluationSettings, Grid, Section, as_groups
from search_spaces.schema.measuring_sections import CorruptionSection, DiagnosisSection, SurfaceGroup
from search_spaces.schema.model_axes import DataAxes, ModelAxes
from search_spaces.schema.racing_section import RacingSection
from search_spaces.schema.training_axes import FineTuningAxes, TrainingAxes
from workers.components.settings import Frozen
from workers.registry import REGISTRIES

_SECTIONS: dict[str, type[Frozen]] = {
    "data": DataAxes,
    "model": ModelAxes,
    "defence": DefenceAxes,
    "training": TrainingAxes,
    "fine_tuning": FineTuningAxes,
    "evaluation": EvaluationSettings,
    "attacks": AttackGroup,
    "diagnosis": DiagnosisSection,
    "surfaces": SurfaceGroup,
    "corruptions": CorruptionSection,
    "racing": RacingSection,
}
SECTION_NAMES = tuple(_SECTIONS)
LISTS: dict[str, str] = {"attacks": "attack group", "surfaces": "surface group"}
"""The sections that are lists, and what they are lists of."""


def sections() -> dict[str, type[Frozen]]:
    """The sections of a space with the settings of every component that is registered now."""
    return _sections(_registered())


def grid_type() -> type[Grid]:
    """The type of grids with the settings of every component that is registered now."""
    return _grid_type(_registered())


def _registered() -> tuple[int, ...]:
    return tuple(registry.version for registry in REGISTRIES.values())


@lru_cache(maxsize=2)
def _sections(registered: tuple[int, ...]) -> dict[str, type[Frozen]]:  # noqa: ARG001 (the cache's key)
    return {name: with_own_settings(section) if issubclass(section, ComponentAxes) else section for name, section in _SECTIONS.items()}


@lru_cache(maxsize=2)
def _grid_type(registered: tuple[int, ...]) -> type[Grid]:
    found: dict[str, Any] = dict(_sections(registered))
    group: Any = found["attacks"]
    section: Any = Section
    optional = {name: (section[found[name]], found[name]()) for name in ("defence", "fine_tuning")}
    fields: dict[str, Any] = {
        "data": (found["data"], ...),
        "model": (section[found["model"]], Field(default=found["model"](), validate_default=True)),
        "training": (found["training"], Field(default=(), validate_default=True)),
        "attacks": (Annotated[tuple[group, ...], BeforeValidator(as_groups)], ()),
        **optional,
    }
    ordered = {name: fields[name] for name in Grid.model_fields if name in fields}
    return create_model("Grid", __base__=Grid, __module__=Grid.__module__, **ordered)
