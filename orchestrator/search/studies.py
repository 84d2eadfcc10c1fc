"""Study of a sweep: created at the first launch, loaded at the next, refused where its trials would not be comparable."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility, distribution_to_json
from optuna.storages import BaseStorage
from optuna.study import Study

from orchestrator.search.samplers import distribution
from search_spaces import Parameter, Space
from search_spaces.ranges.substitute import ABSENT, put
from workers.errors import UserError
from workers.spec.fields import positive_fraction, spelled

_FIXED, _OBJECTIVES, _EXHAUSTED, N_TRIALS = "fixed_settings", "objectives", "exhausted", "n_trials"
_EPSILON = "epsilon"
_HELD_OUT = ("data", "validation_examples")


def open_study(storage: BaseStorage, space: Space) -> Study:
    """Open the study of the space's name; user attributes hold what its trials have in common.

    Raises:
        UserError: the study has other objectives, or the space differs in more than its ranges.
    """
    section = space.search
    assert section is not None  # noqa: S101 (only a space with method optuna is searched)
    goals = [objective.goal for objective in section.objectives]
    words = [f"{objective.goal} {objective.words}" for objective in section.objectives]
    if space.name not in optuna.get_all_study_names(storage):
        study = optuna.create_study(storage=storage, study_name=space.name, directions=goals)
        study.set_user_attr(_FIXED, _digest(_by_value(_fixed_settings(space))))
        study.set_user_attr(_OBJECTIVES, words)
        with warnings.catch_warnings(action="ignore"):  # it is experimental; optuna-dashboard shows these names
            study.set_metric_names([objective.words for objective in section.objectives])
    study = optuna.load_study(study_name=space.name, storage=storage)
    _check(study, space, words)
    study.set_user_attr(N_TRIALS, section.n_trials)
    return study


def _check(study: Study, space: Space, words: list[str]) -> None:
    held = study.user_attrs.get(_OBJECTIVES, words)
    if _by_value(held, _EPSILON) != _by_value(words, _EPSILON):
        raise UserError(f"{_another(space)}: its objectives were: {', '.join(held)}; they are: {', '.join(words)}")
    fixed = _fixed_settings(space)
    as_written, by_value = _digest(fixed), _digest(_by_value(fixed))  # older studies have the former
    if study.user_attrs.get(_FIXED, by_value) not in (as_written, by_value):
        without = "; with data.validation_examples: 0 they would, if they were measured on test" if _holds_out(space) else ""
        raise UserError(f"{_another(space)}: a setting that is not searched has changed, and old trials would not be comparable{without}")
    for name, old, new in _incompatible(study, space.parameters):
        raise UserError(f"{_another(space)}: {name} was {old}; a study cannot hold both that and {new}")


def _another(space: Space) -> str:
    return f"sweep {space.name}: give the space another name, since its study has trials already"


def _incompatible(study: Study, parameters: Iterable[Parameter]) -> list[tuple[str, BaseDistribution, BaseDistribution]]:
    """Return the parameters that are incompatible within one Optuna study, as they were and as they are now."""
    held: dict[str, BaseDistribution] = {}
    for trial in study.get_trials(deepcopy=False):
        held.update(trial.distributions)
    now = {parameter.name: distribution(parameter) for parameter in parameters}
    return [(name, held[name], now[name]) for name in now.keys() & held.keys() if not _go_together(held[name], now[name])]


def _go_together(old: BaseDistribution, new: BaseDistribution) -> bool:
    try:
        check_distribution_compatibility(old, new)
    except ValueError:
        return False
    return True


def mark_exhausted(study: Study, space: Space) -> None:
    """Record that the sampler finds nothing new in these ranges."""
    study.set_user_attr(_EXHAUSTED, _ranges(space))


def is_exhausted(study: Study, space: Space) -> bool:
    """Return whether a launch has marked the same ranges as exhausted."""
    return bool(study.user_attrs.get(_EXHAUSTED) == _ranges(space))


def _ranges(space: Space) -> str:
    return _digest([(made.model_dump(mode="json"), distribution_to_json(distribution(made))) for made in space.parameters])


def _by_value(written: Any, name: str = "") -> Any:
    """Return settings, or the words of objectives, with each epsilon spelled in the one way that all spellings of its value have."""
    match written:
        case dict():
            return {key: _by_value(item, key) for key, item in written.items()}
        case list() | tuple():
            return [_by_value(item, name) for item in written]
        case str() | int() | float() if name.endswith(_EPSILON):
            return " ".join(map(_spelled, str(written).split(" ")))
    return written


def _spelled(word: str) -> str:
    try:
        return spelled(float(positive_fraction(word)))
    except ValueError:
        return word


def _fixed_settings(space: Space) -> Mapping[str, Any]:
    """Return the space's settings without those that are searched."""
    data: Mapping[str, Any] = space.template
    for parameter in space.parameters:
        data = put(data, parameter.path, ABSENT)
    if not _holds_out(space):  # as in studies from before anything was held out
        data = put(data, _HELD_OUT, ABSENT)
    return data


def _holds_out(space: Space) -> bool:
    """Return whether the space holds examples out of training, which it chooses by."""
    return bool((space.template.get("data") or {}).get("validation_examples"))


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
