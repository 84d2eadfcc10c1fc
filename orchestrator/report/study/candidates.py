"""Candidates for the best trial or model, with their results."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isclose
from typing import get_args

from orchestrator.report.study.read_study import StudyRecord, Trial
from orchestrator.store import ResultRow
from orchestrator.tables.result_columns import model_columns
from orchestrator.tables.table import Cell
from search_spaces import ObjectiveGoal
from workers.errors import UserError
from workers.spec.fields import Knowledge, positive_fraction

_ACCURACIES = frozenset({"clean_accuracy", "robust_accuracy", "worst_case_accuracy"})


@dataclass(frozen=True, kw_only=True)
class ObjectiveValue:
    """Value of an objective; accuracies are shares with their 95 % interval, where that is known."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Trial of a study or model of a grid (`trial` None): the settings in which it differs, and its figures in the objectives' order.
    `verdict` is None where the model has none."""

    trial: int | None
    settings: Mapping[str, Cell]
    figures: tuple[ObjectiveValue, ...]
    verdict: str | None
    model_key: str
    is_feasible: bool = True


@dataclass(frozen=True, kw_only=True)
class Field:
    """All candidates, with their objectives and goals."""

    objectives: tuple[str, ...]
    goals: tuple[ObjectiveGoal, ...]
    candidates: tuple[Candidate, ...]


def is_accuracy(objective: str) -> bool:
    return objective.split(" ", 1)[0] in _ACCURACIES


def of_study(study: StudyRecord, rows: Sequence[ResultRow], worst: Sequence[ResultRow]) -> Field:
    """Return the complete trials, each computation once; intervals and verdicts are from the sweep's rows."""
    by_model: dict[str, list[ResultRow]] = {}
    for row in (*rows, *worst):
        by_model.setdefault(row.model_key, []).append(row)
    found = tuple(_candidate(study, trial, by_model.get(trial.model_key or "", [])) for trial in study.complete)
    return Field(objectives=study.objectives, goals=study.goals, candidates=found)


def _candidate(study: StudyRecord, trial: Trial, rows: Sequence[ResultRow]) -> Candidate:
    assert trial.values is not None  # noqa: S101 (a complete trial has them)
    figures = [_figure(objective, value, trial, rows) for objective, value in zip(study.objectives, trial.values, strict=True)]
    verdicts = [row.verdict for row in rows if row.verdict is not None]
    return Candidate(
        trial=trial.number,
        settings=trial.params,
        figures=tuple(figures),
        verdict=verdicts[0] if verdicts else None,
        model_key=trial.model_key or "",
        is_feasible=trial.is_feasible,
    )


def _figure(objective: str, value: float, trial: Trial, rows: Iterable[ResultRow]) -> ObjectiveValue:
    """Return the value with the interval of the row it comes from; a row with another value belongs to another measurement."""
    metric, *named = objective.split(" ")
    for row in rows:
        share, low, high = _interval(metric, row)
        if share is not None and isclose(share, value, abs_tol=1e-9) and _is_of(metric, named, trial, row):
            return ObjectiveValue(value=value, low=low, high=high)
    return ObjectiveValue(value=value)


def _interval(metric: str, row: ResultRow) -> tuple[float | None, float | None, float | None]:
    if metric == "clean_accuracy":
        return row.clean_accuracy, row.clean_ci_low, row.clean_ci_high
    is_worst = row.attack == "worst_case"
    if metric not in _ACCURACIES or is_worst != (metric == "worst_case_accuracy"):
        return None, None, None
    return row.robust_accuracy, row.ci_low, row.ci_high


def _is_of(metric: str, named: Sequence[str], trial: Trial, row: ResultRow) -> bool:
    """Return whether the row is from the trial's own jobs, with the epsilon, attack and knowledge that the objective names."""
    if metric == "clean_accuracy":
        return True
    if trial.job_keys and not trial.job_keys.issuperset(row.job_keys):
        return False
    for word in named:
        if (epsilon := _number(word)) is not None:
            if float(epsilon) != row.epsilon:
                return False
        elif metric == "worst_case_accuracy" and word != (row.knowledge if word in get_args(Knowledge) else row.attack):
            return False
    return True


def _number(word: str) -> Fraction | None:
    """The epsilon that a word is; None for the name of an attack or of a knowledge."""
    try:
        return positive_fraction(word)
    except ValueError:
        return None


def of_grid(worst: Sequence[ResultRow], *, epsilon: str | None) -> Field:
    """Return the models of a sweep by clean and worst-case accuracy at one epsilon, over attackers of every knowledge if there are several.

    Raises:
        UserError: no model was attacked, at that epsilon or at all, or at several and none is named.
    """
    attacked = [row for row in worst if row.attack == "worst_case" and row.clean_accuracy is not None and row.robust_accuracy is not None]
    chosen, written = _epsilon(attacked, epsilon)
    by_model: dict[str, ResultRow] = {}
    for row in (row for row in attacked if row.epsilon == chosen):
        if row.model_key not in by_model or _widest(row) > _widest(by_model[row.model_key]):
            by_model[row.model_key] = row
    rows = list(by_model.values())
    telling = model_columns(rows)
    return Field(
        objectives=("clean_accuracy", f"worst_case_accuracy {written}"),
        goals=("maximize", "maximize"),
        candidates=tuple(
            Candidate(
                trial=None,
                settings={column.title: column.text(row) for column in telling if column.title not in ("model key", "sweep")},
                figures=(
                    ObjectiveValue(value=row.clean_accuracy or 0.0, low=row.clean_ci_low, high=row.clean_ci_high),
                    ObjectiveValue(value=row.robust_accuracy or 0.0, low=row.ci_low, high=row.ci_high),
                ),
                verdict=row.verdict,
                model_key=row.model_key,
            )
            for row in rows
        ),
    )


def _widest(row: ResultRow) -> tuple[bool, int, int]:
    return row.knowledge == "any", row.attacks, row.n_examples


def _epsilon(rows: Sequence[ResultRow], asked: str | None) -> tuple[float, str]:
    """Return the epsilon that is asked for, or the only one, and how the sweep writes it."""
    there = {row.epsilon: row.epsilon_literal for row in sorted(rows, key=lambda row: row.epsilon)}
    try:
        value = None if asked is None else float(positive_fraction(asked))
    except ValueError as error:
        raise UserError(f"--epsilon {asked!r}: {error}") from None
    if not there:
        raise UserError("best: no model of this sweep has a worst case; it takes finished attacks, on randomised models in two repeats")
    if value is None and len(there) > 1:
        raise UserError(f"--epsilon: which one? one of {', '.join(there.values())}")
    if value is not None and value not in there:
        raise UserError(f"--epsilon {asked}: no attack of this sweep was made at it; one of {', '.join(there.values())}")
    chosen = next(iter(there)) if value is None else value
    return chosen, there[chosen]


def front(candidates: Iterable[Candidate], goals: Sequence[ObjectiveGoal]) -> list[Candidate]:
    """Return the candidates that no other dominates, sorted by the first objective, best first."""
    points = [(candidate, _gains(candidate, goals)) for candidate in candidates]
    kept = [(candidate, own) for candidate, own in points if not any(_beats(other, own) for _, other in points)]
    return [candidate for candidate, _ in sorted(kept, key=lambda point: point[1], reverse=True)]


def _gains(candidate: Candidate, goals: Sequence[ObjectiveGoal]) -> tuple[float, ...]:
    signs = [1 if goal == "maximize" else -1 for goal in goals]
    return tuple(sign * figure.value for sign, figure in zip(signs, candidate.figures, strict=True))


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(mine >= theirs for mine, theirs in zip(one, other, strict=True))
