"""Conversion of a space's parameters to Optuna's distributions, and the choice of their values for a trial."""

import warnings
from collections.abc import Mapping, Sequence

from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces import Parameter, Value

ParameterValues = dict[str, Value]


def distribution(parameter: Parameter) -> BaseDistribution:
    """Return Optuna's distribution of a parameter."""
    if parameter.kind == "categorical":
        return CategoricalDistribution(parameter.choices)
    assert parameter.low is not None  # noqa: S101 (a number has both ends)
    assert parameter.high is not None  # noqa: S101
    if parameter.kind == "int":
        step = 1 if parameter.step is None else int(parameter.step)
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log, step=step)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)


def suggest(trial: Trial, parameters: Sequence[Parameter]) -> ParameterValues:
    """Return the trial's values, suggesting missing ones: of each parameter that applies given the values before it."""
    values: ParameterValues = {}
    with warnings.catch_warnings(action="ignore"):  # a value that was enqueued by hand may be out of range: it is then illegal
        for parameter in parameters:
            if parameter.applies(values):
                values[parameter.name] = parameter.exact(_value(trial, parameter.name, distribution(parameter)))
    return values


def _value(trial: Trial, name: str, asked: BaseDistribution) -> Value:
    match asked:
        case CategoricalDistribution():
            return trial.suggest_categorical(name, asked.choices)
        case IntDistribution():
            return trial.suggest_int(name, asked.low, asked.high, step=asked.step, log=asked.log)
        case FloatDistribution():
            return trial.suggest_float(name, asked.low, asked.high, step=asked.step, log=asked.log)
    raise TypeError(f"{name}: {asked} is not a parameter's distribution")


def values_of(params: Mapping[str, Value], parameters: Sequence[Parameter]) -> ParameterValues:
    """Convert a finished trial's parameters to the space's values."""
    by_name = {parameter.name: parameter for parameter in parameters}
    return {name: by_name[name].exact(value) for name, value in params.items() if name in by_name}
