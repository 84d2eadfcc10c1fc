"""Choice of the sampler: one of Optuna's, created for every trial, so that an interrupted search continues as it would have;
and Optuna's distributions of a space's parameters."""

import hashlib
import inspect
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from importlib.util import find_spec
from typing import TypeGuard

from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIIISampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler

from search_spaces import HUB, Parameter, ParameterValue, SearchSection
from workers.errors import UserError, first_line


def sampler_of(section: SearchSection, *, trial: int, tried: int, conditional: bool) -> BaseSampler:
    """Return the sampler for one trial, from its number and the number of configurations tried before it.

    Its seed is derived from the search's seed and the trial's number: suggestions depend on these and on the study alone, not on when
    the driver was started, and no seed occurs twice. TPE is multivariate, in groups where parameters are conditional, and treats running
    trials as bad where several run (constant liar); it begins with evenly spread points instead of random ones. Quasi-random sequences
    continue at the study's current trial, all with the search's seed. The genetic samplers have a population of a third of the
    trials, at most 50 and at least 4: with Optuna's 50 a search of 24 would be random. One of OptunaHub's is as it is made by its class.
    """
    seed = trial_seed(section.seed, trial)
    made: dict[str, Callable[[], BaseSampler]] = {
        "tpe": lambda: TPESampler(
            seed=seed,
            multivariate=True,
            group=conditional,
            constant_liar=section.n_parallel > 1,  # it costs a write for each trial
            n_startup_trials=0,
            gamma=share_of_good_ones if len(section.objectives) > 1 else None,
        ),
        "nsga2": lambda: NSGAIISampler(seed=seed, population_size=population(section.n_trials)),
        "nsga3": lambda: NSGAIIISampler(seed=seed, population_size=population(section.n_trials)),
        "gp": lambda: GPSampler(seed=seed, warn_independent_sampling=False),
        "qmc": lambda: QMCSampler(
            seed=section.seed, scramble=True, independent_sampler=RandomSampler(seed=seed), warn_independent_sampling=False
        ),
        "random": lambda: RandomSampler(seed=seed),
    }
    with warnings.catch_warnings(action="ignore"):  # some of them are experimental to Optuna
        if section.sampler.startswith(HUB):
            return hub_sampler(section.sampler, seed=seed)
        spread = section.sampler == "tpe" and tried < startup(section.n_trials)
        return made["qmc" if spread else section.sampler]()


def random_sampler(section: SearchSection, *, trial: int) -> BaseSampler:
    """Return the sampler for a trial where the chosen one suggests nothing new."""
    return RandomSampler(seed=trial_seed(section.seed, trial))


def startup(n_trials: int) -> int:
    """Return how many evenly spread trials TPE begins with: a third, at least 4 and at most 10, Optuna's number of random ones."""
    return max(4, min(10, n_trials // 3))


def share_of_good_ones(n_trials: int) -> int:
    """Return how many trials TPE treats as good where there is a front: a quarter, at most Optuna's 25. A tenth, Optuna's share, is two of
    24 trials, fewer than a front has points: on smooth trade-off curves that misses 3 % of the hypervolume, a quarter 1 %."""
    return min(25, math.ceil(n_trials / 4))


def population(n_trials: int) -> int:
    """Return the population size of a genetic sampler."""
    return max(4, min(50, n_trials // 3))


def trial_seed(seed: int, trial: int) -> int:
    """Return a 32-bit seed for a trial of a search."""
    digest = hashlib.sha256(f"{seed}/{trial}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


ParameterValues = dict[str, ParameterValue]


def distribution(parameter: Parameter) -> BaseDistribution:
    """Return Optuna's distribution of a parameter."""
    if parameter.kind == "categorical":
        return CategoricalDistribution(parameter.choices)
    assert parameter.low is not None  # noqa: S101 (a number has both ends)
    assert parameter.high is not None  # noqa: S101
    if parameter.kind == "int":
        step = 1 if parameter.step is None else int(parameter.step)
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log, step=step)
    if not parameter.steps:
        return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    low, high = Decimal(repr(parameter.low)), Decimal(repr(parameter.high))
    # Optuna shortens a range that is not exactly so many steps long, in decimals, each time that it reads it; not one of 14 digits.
    last_digit = Decimal(1).scaleb(max(abs(low), abs(high)).adjusted() - 13)
    start, width = low.quantize(last_digit), ((high - low) / parameter.steps).quantize(last_digit)
    return FloatDistribution(float(start), float(start + width * parameter.steps), step=float(width))


def suggested(values: Mapping[str, ParameterValue], parameters: Sequence[Parameter]) -> ParameterValues:
    """Return the values of a configuration as Optuna would suggest them: those of stepped ranges on its grid of rounded numbers."""
    return {made.name: _on_grid(made, values[made.name]) for made in parameters if made.name in values}


def _on_grid(parameter: Parameter, value: ParameterValue) -> ParameterValue:
    asked = distribution(parameter)
    if not isinstance(asked, FloatDistribution) or asked.step is None or not isinstance(value, int | float):
        return value
    return float(Decimal(repr(asked.low)) + parameter.place(value) * Decimal(repr(asked.step)))


def suggest(trial: Trial, parameters: Sequence[Parameter]) -> ParameterValues:
    """Return the trial's values, suggesting missing ones: of each parameter that applies given the values before it."""
    values: ParameterValues = {}
    with warnings.catch_warnings(action="ignore"):  # a value that was enqueued by hand may be out of range: it is then illegal
        for parameter in parameters:
            if parameter.applies(values):
                values[parameter.name] = parameter.exact(_value(trial, parameter.name, distribution(parameter)))
    return values


def _value(trial: Trial, name: str, asked: BaseDistribution) -> ParameterValue:
    match asked:
        case CategoricalDistribution():
            return trial.suggest_categorical(name, asked.choices)
        case IntDistribution():
            return trial.suggest_int(name, asked.low, asked.high, step=asked.step, log=asked.log)
        case FloatDistribution():
            return trial.suggest_float(name, asked.low, asked.high, step=asked.step, log=asked.log)
    raise TypeError(f"{name}: {asked} is not a parameter's distribution")


def values_of(params: Mapping[str, ParameterValue], parameters: Sequence[Parameter]) -> ParameterValues:
    """Convert a finished trial's parameters to the space's values."""
    by_name = {parameter.name: parameter for parameter in parameters}
    return {name: by_name[name].exact(value) for name, value in params.items() if name in by_name}


def hub_sampler(name: str, *, seed: int) -> BaseSampler:
    """Return a new sampler of the class that a space names, with the seed where it takes one.

    Raises:
        UserError: it cannot be had, or needs settings of its own.
    """
    kind = sampler_class(name)
    seeded = {"seed": seed} if "seed" in inspect.signature(kind).parameters else {}
    try:
        return kind(**seeded)
    except TypeError as error:
        raise UserError(f"search.sampler {name}: cannot be made without settings of its own: {first_line(error)}") from None


@lru_cache
def sampler_class(name: str) -> type[BaseSampler]:
    """Return the class that `optunahub:NAME` names, the only sampler of that package; `optunahub:NAME:CLASS` where it has several.

    Raises:
        UserError: optunahub is not installed, the package cannot be fetched, or has no such class.
    """
    package, _, named = name.removeprefix(HUB).partition(":")
    if find_spec("optunahub") is None:
        raise UserError(f"search.sampler {name}: needs the package optunahub; pip install 'robustsweep[optunahub]'")
    import optunahub

    try:
        with warnings.catch_warnings(action="ignore"):
            module = optunahub.load_module(f"samplers/{package}")
    except Exception as error:  # of git, of the network, or of the package's own imports
        raise UserError(f"search.sampler {name}: cannot be had from OptunaHub: {type(error).__name__}: {first_line(error)}") from None
    held = {one: getattr(module, one, None) for one in getattr(module, "__all__", vars(module))}
    found = {one: kind for one, kind in held.items() if _is_sampler(kind)}
    if named not in found and (named or len(found) != 1):
        written = ", ".join(f"{HUB}{package}:{one}" for one in sorted(found)) or "it has none"
        raise UserError(f"search.sampler {name}: must name one of the package's samplers: {written}")
    return found[named or next(iter(found))]


def _is_sampler(found: object) -> TypeGuard[type[BaseSampler]]:
    return isinstance(found, type) and issubclass(found, BaseSampler) and not inspect.isabstract(found)
