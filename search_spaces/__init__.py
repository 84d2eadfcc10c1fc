"""Search spaces: the typed schema of space files, their loader and the built-in spaces. Imports neither torch nor Ray nor SQL."""

from search_spaces.file.loader import LoadedSpace, builtin_spaces, load_space, parse_space
from search_spaces.file.problems import SpaceError
from search_spaces.schema.attack_groups import Asked, AttackGroup, SourceName
from search_spaces.schema.grid import EvaluationSettings, Grid
from search_spaces.schema.measuring_sections import CorruptionSection, DiagnosisSection
from search_spaces.schema.parameter import Parameter, ParameterValue
from search_spaces.schema.search_section import (
    HUB,
    Constraint,
    MeasuringPrecision,
    Metric,
    Objective,
    ObjectiveGoal,
    Rung,
    Sampler,
    SearchSection,
)
from search_spaces.space import Space
from workers.spec.step_settings import paper_steps

__all__ = [
    "HUB",
    "Asked",
    "AttackGroup",
    "Constraint",
    "CorruptionSection",
    "DiagnosisSection",
    "EvaluationSettings",
    "Grid",
    "LoadedSpace",
    "MeasuringPrecision",
    "Metric",
    "Objective",
    "ObjectiveGoal",
    "Parameter",
    "ParameterValue",
    "Rung",
    "Sampler",
    "SearchSection",
    "SourceName",
    "Space",
    "SpaceError",
    "builtin_spaces",
    "load_space",
    "paper_steps",
    "parse_space",
]
