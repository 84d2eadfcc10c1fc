"""Warm start of a search: existing results enter the study, so that the sampler can use them; so do parent models,
which are trained anyway."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState, create_trial

from orchestrator.planning.racing.raced_attacks import jobs_to_the_end
from orchestrator.search.samplers import ParameterValues, distribution, suggested, values_of
from orchestrator.search.search_state import SearchState
from orchestrator.search.trial_index import IDENTITY, JOB_KEYS, KIND, MODEL_KEY, WARM_START, evaluated, identity_of
from orchestrator.search.trial_plan import Complete, FullTrialPlan
from orchestrator.store.reading.trained_models import TrainedSpec, trained_specs
from orchestrator.store.writing import record as write
from search_spaces import Grid, Parameter, ParameterValue, Space
from workers.errors import UserError
from workers.spec.fields import positive_fraction
from workers.spec.job import Job

_Specs = Mapping[str, Any]


def warm_start(state: SearchState) -> None:
    """Add a finished trial for each configuration of the space that has all its results in the store and no trial in the study."""
    tried: set[tuple[tuple[str, ParameterValue], ...]] = set()
    under_way = _under_way(state)
    for model in trained_specs(state.store):
        for values in _values(state.space, model):
            if (known := tuple(sorted(values.items()))) not in tried:
                tried.add(known)
                _add(state, values, but=under_way)


def _under_way(state: SearchState) -> set[str]:
    """Return the configurations of trials that a killed driver left running: the search will continue these trials itself."""
    found = set()
    for trial in state.trials(TrialState.RUNNING, TrialState.WAITING):
        try:
            found.add(identity_of(jobs_to_the_end(state.space.at(values_of(trial.params, state.space.parameters)))))
        except ValueError:  # killed before it had all of its values
            continue
    return found


def _add(state: SearchState, values: dict[str, ParameterValue], *, but: set[str]) -> None:
    try:
        grid = state.space.at(values)
        jobs = jobs_to_the_end(grid)
    except ValueError:
        return  # values of a model that the space does not have
    identity = identity_of(jobs)
    if identity in but or state.trial_index.knows(identity) or any(job.key not in state.recorded for job in jobs):
        return
    outcome = _known_outcome(state, grid)
    if outcome is None:
        return
    write.add_jobs(state.store, state.space.name, jobs)
    distributions = {parameter.name: distribution(parameter) for parameter in state.space.parameters if parameter.name in values}
    with warnings.catch_warnings(action="ignore"):
        trial = create_trial(
            state=TrialState.COMPLETE,
            params=suggested(values, state.space.parameters),
            distributions=distributions,
            values=list(outcome.values),
            user_attrs={KIND: WARM_START, IDENTITY: identity, MODEL_KEY: evaluated(jobs)[0], JOB_KEYS: [job.key for job in jobs]},
            constraints=dict(outcome.violations) or None,
        )
    state.study.add_trial(trial)
    state.trial_index.begin(identity, len(state.study.get_trials(deepcopy=False)) - 1, kind=WARM_START)
    state.progress.add_result(outcome)


def _known_outcome(state: SearchState, grid: Grid) -> Complete | None:
    """Return the values of a configuration from the space's own jobs; a too wide interval gets no further repeats."""
    outcome = FullTrialPlan(state.space, grid, state.store, repeats=False).conclude()
    return outcome if isinstance(outcome, Complete) else None


def _values(space: Space, model: TrainedSpec) -> Iterator[dict[str, ParameterValue]]:
    """Yield the values under which the space might have this model: from its spec where given, else any legal one, since the parameter
    may have no effect here. A comparison of the keys then shows whether the model is the same.

    Parameters of attacks take the values of each attack on the model.
    """
    for attack in model.attacks or ({},):
        values: dict[str, ParameterValue] = {}
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


def _legal(parameter: Parameter, said: Any) -> ParameterValue:
    try:
        if parameter.path[-1] == "epsilon":
            said = _same_epsilon(parameter, said)
        parameter.require(said)
    except (ValueError, TypeError):
        return parameter.ends[0]
    return parameter.exact(said)


def _same_epsilon(parameter: Parameter, said: Any) -> ParameterValue:
    """Return an epsilon as the parameter has it: a number, or the choice that has the same value."""
    value = positive_fraction(str(said))
    return next((choice for choice in parameter.choices if positive_fraction(str(choice)) == value), float(value))


_THETA = "model.theta"


@dataclass(frozen=True)
class BaselineTrial:
    """Configuration of the space: its values, and the identity of its jobs (`identity_of`)."""

    values: ParameterValues
    identity: str


def baseline_of(space: Space, values: ParameterValues, jobs: Sequence[Job]) -> BaselineTrial | None:
    """Return the configuration with theta 1 where `values` are below, if the space has it and its model is trained among their `jobs`."""
    theta = next((parameter for parameter in space.parameters if parameter.name == _THETA), None)
    if theta is None or values.get(_THETA) in (None, 1):
        return None
    at_one = {**values, _THETA: theta.exact(1.0)}
    if any(parameter.applies(values) != parameter.applies(at_one) for parameter in space.parameters):
        return None
    try:
        theta.require(1.0)
        found = jobs_to_the_end(space.at(at_one))
    except (ValueError, UserError):
        return None
    trained = {job.key for job in jobs}
    return BaselineTrial(at_one, identity_of(found)) if trained.issuperset(evaluated(found)) else None
