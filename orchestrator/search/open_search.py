"""Opening a sweep's search on the results store."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from optuna import Trial
from optuna.study import Study

from orchestrator.driver.recorder import Recorder
from orchestrator.search.asha_trial_plan import AshaTrialPlan
from orchestrator.search.optuna_storage import study_storage
from orchestrator.search.raced_trial_plan import RacedTrialPlan, best_trial
from orchestrator.search.rung_table import RungTable
from orchestrator.search.search import Search
from orchestrator.search.search_state import SearchState
from orchestrator.search.studies import open_study
from orchestrator.search.trial_index import KIND, PARENT
from orchestrator.search.trial_plan import FullTrialPlan, TrialPlan, TrialPlans
from orchestrator.search.warm_start import warm_start
from orchestrator.store import Store
from search_spaces import Grid, Space
from workers.artifacts.artifacts import Artifacts


@contextmanager
def open_search(store: Store, space: Space, *, recorder: Recorder, artifacts: Artifacts) -> Iterator[Search]:
    """Open the search of a space with method optuna, as a running sweep's source of jobs.

    Raises:
        UserError: the study in the store is of another space.
    """
    assert space.search is not None  # noqa: S101 (method optuna has the section)
    with study_storage(store) as storage:
        study = open_study(storage, space)
        state = SearchState(study, space, store, storage=storage, recorder=recorder, artifacts=artifacts)
        plans = trial_plans(space, store, study=study, artifacts=artifacts)
        yield Search(state, trial_plans=plans, warm_start=warm_start if space.search.warm_start else None)


def trial_plans(space: Space, store: Store, *, study: Study, artifacts: Artifacts) -> TrialPlans:
    """Return the factory of the plans of the space's trials.

    Raises:
        UserError: the study's trials were measured on other rungs.
    """
    if space.race is not None:
        return lambda _, grid: RacedTrialPlan(space, grid, store, best=partial(best_trial, study, space))
    if space.search is None or not space.search.rungs:
        return lambda _, grid: FullTrialPlan(space, grid, store)
    rungs = RungTable(study, space.search)

    def plan_of(trial: Trial, grid: Grid) -> TrialPlan:
        if trial.user_attrs.get(KIND) == PARENT:  # fully trained in any case: a rung would be additional work
            return FullTrialPlan(space, grid, store)
        return AshaTrialPlan(space, grid, store, trial=trial, rungs=rungs, artifacts=artifacts)

    return plan_of
