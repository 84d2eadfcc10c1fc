"""Effects of the axes of a sweep on an objective: importance, partial dependence, and what is seed luck."""

import warnings
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import BaseImportanceEvaluator, FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from sklearn.ensemble import RandomForestRegressor

from orchestrator.naming.varying_axes import in_words
from orchestrator.report.study.candidates import Candidate
from orchestrator.statistics.seed_share import SeedShare, seed_share
from orchestrator.tables.table import Cell

RESAMPLES = 20
SEED = "seed"
_MOST_LEVELS = 12
_BINS = 6
_FEWEST = 4
_FEWEST_FOR_BEST = 20
_BEST = 0.25
_ORDER = 10
_TREES, _FEWER_TREES = 64, 8
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StudiedAxis:
    """A setting that varies, with the value of each model; None where one has no such setting."""

    name: str
    values: tuple[Cell, ...]

    @cached_property
    def is_numeric(self) -> bool:
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)

    @cached_property
    def is_logarithmic(self) -> bool:
        """True where positive numbers span an order of magnitude."""
        return self.is_numeric and self.numbers.min() > 0 and bool(self.numbers.max() >= _ORDER * self.numbers.min())

    @cached_property
    def numbers(self) -> Floats:
        """The values; of what is no number, its place among the words."""
        known = sorted({in_words(value) for value in self.values})
        return np.array([value if self.is_numeric else known.index(in_words(value)) for value in self.values], dtype=np.float64)

    @cached_property
    def scaled(self) -> Floats:
        """The numbers on a linear or a logarithmic scale."""
        return np.log10(self.numbers) if self.is_logarithmic else self.numbers

    @cached_property
    def levels(self) -> dict[str, list[int]]:
        """The models of each value, in order; of many numbers, of each of a few ranges with as many models in each."""
        distinct = np.unique(self.numbers)
        if len(distinct) <= _MOST_LEVELS:
            members = [np.flatnonzero(self.numbers == number).tolist() for number in distinct]
            return {in_words(self.values[of_level[0]]): of_level for of_level in members}
        parts = [part.tolist() for part in np.array_split(np.argsort(self.numbers, kind="stable"), _BINS)]
        return {f"{self.numbers[part[0]]:.3g} to {self.numbers[part[-1]]:.3g}": part for part in parts}

    @property
    def distribution(self) -> BaseDistribution:
        if not self.is_numeric:
            return CategoricalDistribution(sorted({in_words(value) for value in self.values}))
        return FloatDistribution(float(self.numbers.min()), float(self.numbers.max()), log=self.is_logarithmic)

    def parameter(self, model: int) -> float | str:
        return float(self.numbers[model]) if self.is_numeric else in_words(self.values[model])


def axes_of(models: Sequence[Candidate]) -> list[StudiedAxis]:
    """Return what varies, the seed excepted. A number that some models do not have is left out where it has too many values."""
    names = dict.fromkeys(name for model in models for name in model.settings if name != SEED)
    found = [StudiedAxis(name, tuple(model.settings.get(name) for model in models)) for name in names]
    return [
        axis
        for axis in found
        if len(set(axis.values)) > 1 and (axis.is_numeric or len(set(axis.values)) <= max(_MOST_LEVELS, len(models) // 2))
    ]


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Share of an objective's variance that an axis explains by itself, in [0, 1], with the range in which nine of ten resamples of the
    models lie; and its share in what distinguishes the best quarter from the rest, None of too few models."""

    axis: str
    share: float
    low: float
    high: float
    of_best: float | None


def importances(axes: Sequence[StudiedAxis], values: Floats, *, maximize: bool) -> list[Importance]:
    """Return the importance of each axis, the greatest first: functional ANOVA (Hutter et al., 2014) and PED-ANOVA (Watanabe et al., 2023).

    Raises:
        ValueError: there are too few models or axes, or no two values differ; it says which.
    """
    if len(axes) < 2:  # noqa: PLR2004 (one alone has nothing to be weighed against)
        raise ValueError(
            f"only {axes[0].name} varies, so that there is nothing to weigh it against" if axes else "no setting but the seed varies"
        )
    if len(values) < _FEWEST:
        raise ValueError(f"{len(values)} models are too few to weigh the axes against each other; it takes {_FEWEST}")
    if np.ptp(values) == 0:
        raise ValueError("all models have the same value")
    generator = np.random.default_rng(0)
    everything = np.arange(len(values))
    shares = _shares(FanovaImportanceEvaluator(seed=0, n_trees=_TREES), axes, values, everything, maximize=maximize)
    again = [
        _shares(FanovaImportanceEvaluator(seed=number, n_trees=_FEWER_TREES), axes, values, resample, maximize=maximize)
        for number in range(RESAMPLES)
        if np.ptp(values[resample := generator.integers(len(values), size=len(values))]) > 0
    ]
    of_best = _of_best(axes, values, everything, maximize=maximize)
    found = [
        Importance(
            axis=axis.name,
            share=shares.get(axis.name, 0.0),
            low=min(shares.get(axis.name, 0.0), float(np.quantile(known := [one.get(axis.name, 0.0) for one in again], 0.05))),
            high=max(shares.get(axis.name, 0.0), float(np.quantile(known, 0.95))),
            of_best=of_best.get(axis.name),
        )
        for axis in axes
    ]
    return sorted(found, key=lambda one: -one.share)


def _of_best(axes: Sequence[StudiedAxis], values: Floats, models: NDArray[np.int64], *, maximize: bool) -> Mapping[str, float]:
    if len(models) < _FEWEST_FOR_BEST:
        return {}
    found = _shares(PedAnovaImportanceEvaluator(target_quantile=_BEST), axes, values, models, maximize=maximize)
    total = sum(found.values())
    return {name: share / total for name, share in found.items()} if total else {}


def _shares(
    evaluator: BaseImportanceEvaluator, axes: Sequence[StudiedAxis], values: Floats, models: NDArray[np.int64], *, maximize: bool
) -> Mapping[str, float]:
    """Return what Optuna's evaluator says of a study, in memory, of these models."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {axis.name: axis.distribution for axis in axes}
    study = optuna.create_study(direction="maximize" if maximize else "minimize")
    with warnings.catch_warnings(action="ignore"):
        study.add_trials(
            [
                optuna.trial.create_trial(
                    params={axis.name: axis.parameter(model) for axis in axes}, distributions=distributions, value=float(values[model])
                )
                for model in models.tolist()
            ]
        )
        return {name: float(share) for name, share in evaluator.evaluate(study).items()}


@dataclass(frozen=True, kw_only=True)
class Level:
    """One value of an axis, or a range of them: the models that have it, and the mean and the standard deviation of the objective there
    over all that the others vary in."""

    label: str
    models: Sequence[int]
    mean: float
    deviation: float


def is_balanced(axes: Sequence[StudiedAxis]) -> bool:
    """Tell if the models are a whole grid: every combination of the axes' values, each as often."""
    times = Counter(zip(*(axis.values for axis in axes), strict=True))
    return len(times) == prod(len(set(axis.values)) for axis in axes) and len(set(times.values())) == 1


def dependence(axes: Sequence[StudiedAxis], place: int, values: Floats) -> list[Level]:
    """Return the partial dependence of the objective on an axis (Friedman, 2001): of a whole grid it is the mean over the models of each
    value; otherwise a random forest's prediction at each value, for all models, so that what varies along with the axis does not count."""
    axis = axes[place]
    if is_balanced(axes):
        predicted = {label: values[models] for label, models in axis.levels.items()}
    else:
        settings = np.stack([one.numbers for one in axes], axis=1)
        forest = RandomForestRegressor(n_estimators=_TREES, random_state=0).fit(settings, values)
        predicted = {label: _predicted(forest, settings, place, models) for label, models in axis.levels.items()}
    return [
        Level(label=label, models=models, mean=float(predicted[label].mean()), deviation=float(predicted[label].std()))
        for label, models in axis.levels.items()
    ]


def _predicted(forest: RandomForestRegressor, settings: Floats, place: int, models: Sequence[int]) -> Floats:
    there = settings.copy()
    there[:, place] = np.median(settings[models, place])
    found: Floats = forest.predict(there)
    return found


def seed_luck(models: Sequence[Candidate], values: Floats) -> SeedShare | None:
    """Return what training seeds explain of the objective; None where no two models differ in their seed alone."""
    groups: dict[Hashable, list[float]] = {}
    for model, value in zip(models, values.tolist(), strict=True):
        groups.setdefault(tuple((name, in_words(cell)) for name, cell in model.settings.items() if name != SEED), []).append(value)
    return seed_share(list(groups.values())) if any(SEED in model.settings for model in models) else None
