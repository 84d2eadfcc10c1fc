"""The attacks of a space that an objective refers to."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from search_spaces.ranges.legality import error
from search_spaces.ranges.substitute import Data, filled
from search_spaces.schema.attack_groups import Asked
from search_spaces.schema.grid import Grid
from search_spaces.schema.parameter import Parameter, ParameterValue
from search_spaces.schema.registered_sections import grid_type
from search_spaces.schema.search_section import OF_AN_ATTACK, WITHOUT_ATTACKS, Objective, SearchSection
from workers.spec.fields import positive_fraction


def attacks_meant(objective: Objective, grid: Grid, parameters: tuple[Parameter, ...]) -> tuple[Asked, ...]:
    """Return the attacks of a grid that an objective is measured by, each once; none for a metric that involves no attack.

    The settings of a group that are searched do not select among its attacks: any attack, epsilon or knowledge chosen there is included.
    """
    searched = {made.path for made in parameters}
    found: list[Asked] = []
    for number, group in enumerate(grid.attacks if objective.metric not in WITHOUT_ATTACKS else ()):
        telling = [name for name in OF_AN_ATTACK if ("attacks", number, name) not in searched]
        found += [asked for asked in group.resolved() if all(_is_named(objective, asked, name) for name in telling)]
    return tuple(dict.fromkeys(found))


def _is_named(objective: Objective, asked: Asked, name: str) -> bool:
    named = getattr(objective, name)
    match name:
        case _ if named is None:
            return True
        case "attack":
            return bool(named == asked.attack.name)
        case "epsilon":
            return positive_fraction(named) == _epsilon(asked)
        case _:
            return bool(named == asked.knowledge)


def _epsilon(asked: Asked) -> Fraction:
    return positive_fraction(asked.attack.epsilon_literal)


def objective_errors(section: object, data: Data, parameters: tuple[Parameter, ...]) -> list[InitErrorDetails]:
    """Return the errors of a search's objectives, given the space's attacks; none where the section itself is invalid."""
    try:
        search = SearchSection.model_validate(section)
        grid = grid_type().model_validate(filled(data, parameters, _first(parameters)))
    except ValidationError:
        return []
    return [
        error(("search", "objectives", number), objective.words, complaint)
        for number, objective in enumerate(search.objectives)
        for complaint in _complaints(objective, grid, parameters)
    ]


def _first(parameters: tuple[Parameter, ...]) -> dict[str, ParameterValue]:
    """Return the first value of each parameter that applies under the others' first values."""
    values: dict[str, ParameterValue] = {}
    for made in parameters:
        if made.applies(values):
            values[made.name] = made.ends[0]
    return values


def _complaints(objective: Objective, grid: Grid, parameters: tuple[Parameter, ...]) -> Iterator[str]:
    if objective.metric in WITHOUT_ATTACKS:
        return
    meant, all_asked = (attacks_meant(one, grid, parameters) for one in (objective, Objective(metric="attack_seconds")))
    if not all_asked:
        yield "the space has no attacks"
    elif not meant or (objective.metric == "robust_accuracy" and len(meant) > 1):
        candidates = dict.fromkeys(" ".join(_words(asked)) for asked in (meant or all_asked))
        yield f"means {len(meant) or 'none'} of the space's attacks, it must mean one: {_at_most(list(candidates))}"


def _words(asked: Asked) -> tuple[Any, ...]:
    return asked.attack.name, asked.attack.epsilon_literal, asked.knowledge


def _at_most(candidates: list[str], most: int = 8) -> str:
    more = f" and {len(candidates) - most} more" if len(candidates) > most else ""
    return ", ".join(candidates[:most]) + more
