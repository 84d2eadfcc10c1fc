"""The section of a space that configures its search: objectives, sampler and budget."""

import re
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, model_validator

from search_spaces.schema.axes import PositiveLiteral
from workers.components.settings import Frozen
from workers.spec.fields import Count, Index, Interval, Knowledge, Positive, positive_fraction

Metric = Literal["attack_seconds", "clean_accuracy", "parameters", "robust_accuracy", "worst_case_accuracy"]
ObjectiveGoal = Literal["maximize", "minimize"]

GOALS: dict[Metric, ObjectiveGoal] = {
    "attack_seconds": "minimize",
    "clean_accuracy": "maximize",
    "parameters": "minimize",
    "robust_accuracy": "maximize",
    "worst_case_accuracy": "maximize",
}
SHARES: frozenset[Metric] = frozenset({"clean_accuracy", "robust_accuracy", "worst_case_accuracy"})
"""The metrics that lie in [0, 1]."""
WITHOUT_ATTACKS: frozenset[Metric] = frozenset({"clean_accuracy", "parameters"})
OF_AN_ATTACK = ("attack", "epsilon", "knowledge")
_NAMED: dict[Metric, tuple[str, ...]] = {"robust_accuracy": OF_AN_ATTACK, "worst_case_accuracy": ("epsilon", "knowledge")}


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _word(value: object) -> object:
    return {"metric": value} if isinstance(value, str) else value


def _at_least_one(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("must name at least one")
    return values


HUB = "optunahub:"
"""Beginning of the names of OptunaHub's samplers."""
OwnSampler = Literal["gp", "nsga2", "nsga3", "qmc", "random", "tpe"]
_OF_THE_HUB = re.compile(rf"{HUB}\w+(:\w+)?")


def _sampler(name: str) -> str:
    if name not in get_args(OwnSampler) and not _OF_THE_HUB.fullmatch(name):
        raise ValueError(f"'{name}': must be one of {', '.join(get_args(OwnSampler))}, or {HUB}NAME")
    return name


Sampler = Annotated[str, AfterValidator(_sampler)]
"""One of Optuna's own, or OptunaHub's, `optunahub:NAME` or `optunahub:NAME:CLASS`."""


class Objective(Frozen):
    """A quantity to maximise or to minimise.

    `robust_accuracy` is that under one of the space's attacks, which `attack`, `epsilon` and `knowledge` identify as far as needed;
    `worst_case_accuracy` is over all attacks at `epsilon` by attackers of that `knowledge` (None: by any).
    """

    metric: Metric
    attack: str | None = None
    epsilon: PositiveLiteral | None = None
    knowledge: Knowledge | None = None
    goal: ObjectiveGoal = "maximize"

    @model_validator(mode="before")
    @classmethod
    def _has_the_metrics_goal(cls, data: object) -> object:
        if not isinstance(data, dict) or not isinstance(data.get("metric"), str):
            return data
        return {"goal": goal, **data} if (goal := GOALS.get(data["metric"])) else data

    @model_validator(mode="after")
    def _names_what_the_metric_has(self) -> Self:
        named = _NAMED.get(self.metric, ())
        for name in OF_AN_ATTACK:
            if getattr(self, name) is not None and name not in named:
                raise ValueError(f"{self.metric} has no {name}; leave {name} out")
        if self.metric == "worst_case_accuracy" and self.epsilon is None:
            raise ValueError("worst_case_accuracy: name an epsilon, such as {metric: worst_case_accuracy, epsilon: 8/255}")
        return self

    @property
    def words(self) -> str:
        """Short name of the objective: `robust_accuracy pgd 8/255 omniscient`."""
        named = (self.metric, self.attack, self.epsilon, self.knowledge)
        return " ".join(part for part in named if part is not None)


class Constraint(Frozen):
    """Condition that a model must satisfy to count as found: `parameters <= 100000` in the file. A share is in [0, 1]."""

    metric: Literal["attack_seconds", "clean_accuracy", "parameters"]
    direction: Literal["<=", ">="]
    bound: float

    @model_validator(mode="before")
    @classmethod
    def _is_a_comparison(cls, data: object) -> object:
        if isinstance(data, dict):
            return data
        found = re.fullmatch(r"\s*(\w+)\s*(<=|>=)\s*([0-9.eE+-]{1,30})\s*", data) if isinstance(data, str) else None
        if found is None:
            raise ValueError("must be a metric, <= or >=, and a number, such as parameters <= 100000")
        metric, direction, bound = found.groups()
        try:
            return {"metric": metric, "direction": direction, "bound": float(bound)}
        except ValueError:
            raise ValueError(f"{bound}: not a number") from None

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.metric in SHARES and not 0 <= self.bound <= 1:
            raise ValueError(f"{self}: must be in [0, 1], a share and not percent")
        if self.bound < 0:
            raise ValueError(f"{self}: must be >= 0")
        return self

    def __str__(self) -> str:
        return f"{self.metric} {self.direction} {self.bound:.10g}"

    def violation(self, value: float) -> float:
        """Return the amount by which a value misses the bound; at most 0 where it meets it."""
        return value - self.bound if self.direction == "<=" else self.bound - value


class MeasuringPrecision(Frozen):
    """Repeats are added to an evaluation until its 95 % interval is narrower than `width` (a share), or there are `max_repeats`."""

    width: Annotated[float, AfterValidator(Interval(0, 1, low_open=True, high_open=True))]
    max_repeats: Annotated[int, AfterValidator(Interval(2))]


def _epochs(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, float) and 0 < value < 1:
        return value
    raise ValueError("must be a whole number of epochs >= 1, or a share of them in (0, 1)")


class Rung(Frozen):
    """One rung of successive halving, cheaper than the whole evaluation: training for so many `epochs` of its schedule (a share of them
    in (0, 1), or a number), at most so many `examples` and attack `steps`. A setting that is None is as in the space."""

    epochs: Annotated[int | float | None, BeforeValidator(lambda value: None if value is None else _epochs(value))] = None
    examples: Count | None = None
    steps: Count | None = None

    @model_validator(mode="after")
    def _is_cheaper(self) -> Self:
        if self.epochs is None and self.examples is None and self.steps is None:
            raise ValueError("a rung must reduce something: epochs, examples or steps")
        return self


class SearchSection(Frozen):
    """Settings of the search of a space; none is an axis.

    `n_trials` models are tried, `n_parallel` at a time, for at most `timeout` seconds (None: no limit). With `warm_start`, results
    that the database already has are given to the sampler first. With `parents`, models of the space with theta 1 that others are
    fine-tuned from are measured too, without counting as trials: they are trained anyway. Of the trials on one of the `rungs`, the best 1
    in `reduction_factor` go on to the next, and from the last one to the whole evaluation.
    """

    sampler: Sampler = "tpe"
    seed: Index = 0
    n_trials: Count
    timeout: Positive | None = None
    n_parallel: Count = 2
    warm_start: bool = True
    parents: bool = True
    objectives: Annotated[tuple[Annotated[Objective, BeforeValidator(_word)], ...], BeforeValidator(_tuple), AfterValidator(_at_least_one)]
    constraints: Annotated[tuple[Constraint, ...], BeforeValidator(_tuple)] = ()
    precision: MeasuringPrecision | None = None
    rungs: Annotated[tuple[Rung, ...], BeforeValidator(lambda value: () if value is None else _tuple(value))] = ()
    reduction_factor: Annotated[int, AfterValidator(Interval(2))] = 3

    @model_validator(mode="after")
    def _names_no_objective_twice(self) -> Self:
        for number, objective in enumerate(self.objectives):
            if any(_equal(objective, earlier) for earlier in self.objectives[:number]):
                raise ValueError(f"objectives: {objective.words} twice")
        return self

    @model_validator(mode="after")
    def _rungs_rise(self) -> Self:
        for name in ("epochs", "examples", "steps"):
            given = [value for rung in self.rungs if (value := getattr(rung, name)) is not None]
            if name == "epochs" and len({value < 1 for value in given}) > 1:
                raise ValueError("rungs: epochs are shares on some and numbers on others; write all alike")
            if any(after < before for before, after in pairwise(given)):
                raise ValueError(f"rungs: {name} must not fall from rung to rung, found {', '.join(map(str, given))}")
        return self


def _equal(objective: Objective, other: Objective) -> bool:
    """Tell whether two objectives are the same quantity, regardless of their goals and of how epsilon is written."""
    return _meaning(objective) == _meaning(other)


def _meaning(objective: Objective) -> tuple[object, ...]:
    exact = None if objective.epsilon is None else positive_fraction(objective.epsilon)
    return objective.metric, objective.attack, exact, objective.knowledge


SEARCH_PARTS: dict[str, type[Frozen]] = {
    "constraints": Constraint,
    "objectives": Objective,
    "precision": MeasuringPrecision,
    "rungs": Rung,
}
"""Settings of the section that have fields of their own."""
