"""Preview of the jobs that a search may run, for plans and for checks before a launch."""

from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

from orchestrator.planning import MAX_JOBS
from orchestrator.planning.expand import check_count, deduplicate, expand_space
from orchestrator.planning.racing.raced_attacks import jobs_to_the_end
from search_spaces import Parameter, ParameterValue, Space
from workers.errors import UserError
from workers.spec.job import Job

_TRIES = 200
_WANTED = 3


def jobs_of(space: Space, *, max_jobs: int) -> list[Job]:
    """Return the jobs of a grid, or of a search those of a few configurations.

    Raises:
        UserError: there are more than `max_jobs`, or no configuration was found that is legal.
    """
    return expand_space(space, max_jobs=max_jobs) if space.method == "grid" else possible_jobs(space, max_jobs=max_jobs)


def possible_jobs(space: Space, *, max_jobs: int = MAX_JOBS) -> list[Job]:
    """Return the jobs of a few configurations: of the ends of all ranges, and of random ones.

    Raises:
        UserError: no configuration was found that is legal, or one has more than `max_jobs`.
    """
    jobs: list[Job] = []
    complaint = ""
    legal = 0
    for values in islice(_choices(space), _TRIES):
        try:
            grid = space.at(values)
            check_count([grid], max_jobs)
            jobs += jobs_to_the_end(grid)
        except ValueError as error:
            complaint = str(error)
            continue
        legal += 1
        if legal == _WANTED:
            break
    if not legal:
        raise UserError(f"sweep {space.name}: none of {_TRIES} random configurations is legal: {complaint}")
    return deduplicate(jobs)


def typical_jobs(space: Space) -> list[Job]:
    """Return the jobs of one configuration: at the first ends of the ranges or, if that is illegal, of the first legal one."""
    for values in islice(_choices(space), _TRIES):
        try:
            return jobs_to_the_end(space.at(values))
        except ValueError:
            continue
    return []


def _choices(space: Space) -> Iterator[dict[str, ParameterValue]]:
    yield _chosen(space, lambda parameter: parameter.ends[0])
    yield _chosen(space, lambda parameter: parameter.ends[-1])
    random = Random(0)  # noqa: S311 (no secret)
    while True:
        yield _chosen(space, lambda parameter: random.choice(parameter.ends))


def _chosen(space: Space, choose: Callable[[Parameter], ParameterValue]) -> dict[str, ParameterValue]:
    values: dict[str, ParameterValue] = {}
    for parameter in space.parameters:
        if parameter.applies(values):
            values[parameter.name] = choose(parameter)
    return values
