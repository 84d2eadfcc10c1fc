"""Opening a sweep's search on the results store."""

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.recorder import Recorder
from orchestrator.search.course import Courses, WholeCourse
from orchestrator.search.search import Search
from orchestrator.search.storage import study_storage
from orchestrator.search.studies import open_study
from orchestrator.search.warm_start import warm_start
from orchestrator.store import Store
from search_spaces import Space
from workers.artifacts import Artifacts
from workers.errors import UserError


@contextmanager
def opened_search(store: Store, space: Space, *, recorder: Recorder, artifacts: Artifacts) -> Iterator[Search]:
    """The search of a space with method optuna, ready to be a running sweep's source of jobs.

    Raises:
        UserError: the study in the store is of another space.
    """
    assert space.search is not None  # noqa: S101 (method optuna has the section)
    with study_storage(store) as storage:
        yield Search(
            open_study(storage, space),
            space,
            store,
            recorder=recorder,
            artifacts=artifacts,
            courses=courses_of(space, store),
            warm_start=warm_start if space.search.warm_start else None,
        )


def courses_of(space: Space, store: Store) -> Courses:
    """What the space's trials are measured by.

    Raises:
        UserError: in a way that is not there yet.
    """
    if space.search is not None and space.search.rungs:
        raise UserError("search.rungs: successive halving is not here yet; leave rungs out")
    return lambda grid: WholeCourse(space, grid, store)
