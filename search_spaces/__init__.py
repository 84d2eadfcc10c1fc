"""Search spaces: the typed schema of space files, their loader and the built-in spaces. Imports neither torch nor Ray nor SQL."""

from search_spaces.attack_groups import Asked, AttackGroup, SourceName, paper_steps
from search_spaces.diagnosis_section import DiagnosisSection
from search_spaces.loader import LoadedSpace, builtin_spaces, load_space, parse_space
from search_spaces.parameter import Parameter, Value
from search_spaces.problems import SpaceError
from search_spaces.schema import Grid
from search_spaces.search_section import Constraint, Goal, Metric, Objective, Precision, Rung, Sampler, SearchSection
from search_spaces.space import Space

__all__ = [
    "Asked",
    "AttackGroup",
    "Constraint",
    "DiagnosisSection",
    "Goal",
    "Grid",
    "LoadedSpace",
    "Metric",
    "Objective",
    "Parameter",
    "Precision",
    "Rung",
    "Sampler",
    "SearchSection",
    "SourceName",
    "Space",
    "SpaceError",
    "Value",
    "builtin_spaces",
    "load_space",
    "paper_steps",
    "parse_space",
]
