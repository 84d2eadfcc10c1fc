"""Warm start of a search: existing results enter the study, so that the sampler can use them."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState, create_trial

from orchestrator.planning.expand import deduplicate, grid_jobs
from orchestrator.search.suggest import distribution, values_of
from orchestrator.search.trial_index import IDENTITY, JOB_KEYS, KIND, MODEL_KEY, WARM_START, evaluated, identity_of
from orchestrator.search.trial_plan import Complete, FullTrialPlan
from orchestrator.store.reading.trained_models import TrainedSpec, trained_specs
from orchestrator.store.writing import record as write
from search_spaces import Grid, Parameter, Space, Value

if TYPE_CHECKING:
    from orchestrator.search.search import Search

_Specs = Mapping[str, Any]


def warm_start(search: "Search") -> None:
    """Add a finished trial for each configuration of the space that has all its results in the store and no trial in the study."""
    tried: set[tuple[tuple[str, Value], ...]] = set()
    under_way = _under_way(search)
    for model in trained_specs(search.store):
        for values in _values(search.space, model):
            if (known := tuple(sorted(values.items()))) not in tried:
                tried.add(known)
                _add(search, values, but=under_way)


def _under_way(search: "Search") -> set[str]:
    """Return the configurations of trials that a killed driver left running: the search will continue these trials itself."""
    found = set()
    for trial in search.study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING)):
        try:
            found.add(identity_of(deduplicate(grid_jobs(search.space.at(values_of(trial.params, search.space.parameters))))))
        except ValueError:  # killed before it had all of its values
            continue
    return found


def _add(search: "Search", values: dict[str, Value], *, but: set[str]) -> None:
    try:
        grid = search.space.at(values)
        jobs = deduplicate(grid_jobs(grid))
    except ValueError:
        return  # values of a model that the space does not have
    identity = identity_of(jobs)
    if identity in but or search.trial_index.knows(identity) or any(job.key not in search.recorded for job in jobs):
        return
    verdict = _come_to(search, grid)
    if verdict is None:
        return
    write.add_jobs(search.store, search.space.name, jobs)
    distributions = {parameter.name: distribution(parameter) for parameter in search.space.parameters if parameter.name in values}
    with warnings.catch_warnings(action="ignore"):
        trial = create_trial(
            state=TrialState.COMPLETE,
            params=values,
            distributions=distributions,
            values=list(verdict.values),
            user_attrs={KIND: WARM_START, IDENTITY: identity, MODEL_KEY: evaluated(jobs)[0], JOB_KEYS: [job.key for job in jobs]},
            constraints=dict(verdict.violations) or None,
        )
    search.study.add_trial(trial)
    search.trial_index.begin(identity, len(search.study.get_trials(deepcopy=False)) - 1, kind=WARM_START)
    search.progress.found(verdict)


def _come_to(search: "Search", grid: Grid) -> Complete | None:
    """Return the values of a configuration from the space's own jobs; a too wide interval gets no further repeats."""
    verdict = FullTrialPlan(search.space, grid, search.store, repeats=False).conclude()
    return verdict if isinstance(verdict, Complete) else None


def _values(space: Space, model: TrainedSpec) -> Iterator[dict[str, Value]]:
    """Yield the values under which the space might have this model: from its spec where given, else any legal one, since the parameter
    may have no effect here. A comparison of the keys then shows whether the model is the same.

    Parameters of attacks take the values of each attack on the model.
    """
    for attack in model.attacks or ({},):
        values: dict[str, Value] = {}
        for parameter in space.parameters:
            if parameter.applies(values):
                values[parameter.name] = _legal(parameter, _said(parameter, model, attack))
        yield values


def _said(parameter: Parameter, model: TrainedSpec, attack: _Specs) -> Any:
    """Return the value of a parameter in the model's specs; None where they have none."""
    section, *path = parameter.path
    match section:
        case "seed":
            return model.spec["seed"]
        case "attacks":
            return _inside(attack, path[1:])
        case "training":
            return _inside(model.pretraining["training"], path)
        case "fine_tuning":
            return _inside(model.spec["training"], path)
        case _:
            return _inside(model.spec[str(section)], path)


def _inside(held: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        try:
            held = held[part]
        except (KeyError, IndexError, TypeError):
            return None
    return held


def _legal(parameter: Parameter, said: Any) -> Value:
    try:
        parameter.require(said)
    except (ValueError, TypeError):
        return parameter.ends[0]
    return parameter.exact(said)
