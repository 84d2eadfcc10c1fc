"""Results that are there before the search asks for them: they enter the study, so that the sampler knows them."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState, create_trial

from orchestrator.planning.expand import distinct, jobs_of
from orchestrator.search.suggest import distribution, values_of
from orchestrator.search.trial_index import IDENTITY, JOB_KEYS, KIND, MODEL_KEY, WARM_START, evaluated, identity_of
from orchestrator.search.trial_plan import Complete, WholeCourse
from orchestrator.store.reading.trained_models import TrainedSpec, trained_specs
from orchestrator.store.writing import record as write
from search_spaces import Grid, Parameter, Space, Value

if TYPE_CHECKING:
    from orchestrator.search.search import Search

_Specs = Mapping[str, Any]


def warm_start(search: "Search") -> None:
    """Add a finished trial for each configuration of the space all of whose results the store holds, if the study has it not."""
    tried: set[tuple[tuple[str, Value], ...]] = set()
    under_way = _under_way(search)
    for model in trained_specs(search.store):
        for values in _values(search.space, model):
            if (known := tuple(sorted(values.items()))) not in tried:
                tried.add(known)
                _add(search, values, but=under_way)


def _under_way(search: "Search") -> set[str]:
    """The configurations of trials that a killed driver left running: their results are their own, and they will be told."""
    found = set()
    for trial in search.study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING)):
        try:
            found.add(identity_of(distinct(jobs_of(search.space.at(values_of(trial.params, search.space.parameters))))))
        except ValueError:  # killed before it had all of its values
            continue
    return found


def _add(search: "Search", values: dict[str, Value], *, but: set[str]) -> None:
    try:
        grid = search.space.at(values)
        jobs = distinct(jobs_of(grid))
    except ValueError:
        return  # values of a model that the space does not have
    identity = identity_of(jobs)
    if identity in but or search.ledger.knows(identity) or any(job.key not in search.recorded for job in jobs):
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
    search.ledger.begin(identity, len(search.study.get_trials(deepcopy=False)) - 1, kind=WARM_START)
    search.outlook.found(verdict)


def _come_to(search: "Search", grid: Grid) -> Complete | None:
    """The values of a configuration by the results of its space; an interval that is too wide for the search is as it is."""
    verdict = WholeCourse(search.space, grid, search.store, repeats=False).conclude()
    return verdict if isinstance(verdict, Complete) else None


def _values(space: Space, model: TrainedSpec) -> Iterator[dict[str, Value]]:
    """The values under which the space might have this model: as its spec says them, where it does, or any legal one, since it may be
    one that changes nothing here. Whether it is the same is seen by the keys.

    Parameters of attacks take each attack's that the model has seen.
    """
    for attack in model.attacks or ({},):
        values: dict[str, Value] = {}
        for parameter in space.parameters:
            if parameter.applies(values):
                values[parameter.name] = _legal(parameter, _said(parameter, model, attack))
        yield values


def _said(parameter: Parameter, model: TrainedSpec, attack: _Specs) -> Any:
    """What the model's specs say of a parameter; None where they say nothing."""
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
