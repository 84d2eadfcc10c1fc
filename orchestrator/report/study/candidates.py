"""Candidates for the best trial or model, with their results."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from math import isclose
from statistics import fmean
from typing import Any, get_args

from orchestrator.naming.varying_axes import Axes, in_words, settings_of
from orchestrator.report.figures.attack_conditions import AttackCondition, conditions
from orchestrator.report.study.read_study import StudyRecord, Trial
from orchestrator.statistics.differences import separation
from orchestrator.store import ResultRow
from orchestrator.store.reading.measured import Setting
from orchestrator.tables.table import Cell
from search_spaces import ObjectiveGoal
from search_spaces.schema.search_section import SHARES
from workers.errors import UserError
from workers.spec.fields import Knowledge, SplitName, positive_fraction

_ATTACK = ("model_key", *(field.name for field in fields(Setting) if field.name not in ("split", "n_examples")))


@dataclass(frozen=True, kw_only=True)
class ObjectiveValue:
    """Value of an objective; accuracies are shares with their 95 % interval, where that is known."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Trial of a study or model of a grid (`trial` None): the settings in which it differs, and its figures in the objectives' order.
    `verdict` is None where the model has none. `tested` are the same figures on test where the others are on validation, None where it was
    not measured there; empty where the others are on test."""

    trial: int | None
    settings: Mapping[str, Cell]
    figures: tuple[ObjectiveValue, ...]
    verdict: str | None
    model_key: str
    is_feasible: bool = True
    tested: tuple[ObjectiveValue | None, ...] = ()
    dataset: str = ""

    @property
    def name(self) -> str:
        """Its trial, or the settings in which it differs."""
        return (
            f"trial {self.trial}"
            if self.trial is not None
            else ", ".join(f"{name} {in_words(value)}" for name, value in self.settings.items())
        )


@dataclass(frozen=True, kw_only=True)
class Field:
    """All candidates, with their objectives and goals, and the split that their figures are on."""

    objectives: tuple[str, ...]
    goals: tuple[ObjectiveGoal, ...]
    candidates: tuple[Candidate, ...]
    split: SplitName = "test"


def is_accuracy(objective: str) -> bool:
    return objective.split(" ", 1)[0] in SHARES


def of_study(study: StudyRecord, rows: Sequence[ResultRow], worst: Sequence[ResultRow]) -> Field:
    """Return the complete trials, each computation once; intervals and verdicts are from the sweep's rows."""
    by_model: dict[str, list[ResultRow]] = {}
    for row in (*rows, *worst):
        by_model.setdefault(row.model_key, []).append(row)
    found = tuple(_candidate(study, trial, by_model.get(trial.model_key or "", [])) for trial in study.complete)
    return Field(objectives=study.objectives, goals=study.goals, candidates=found, split=_split_of([*rows, *worst]))


def _candidate(study: StudyRecord, trial: Trial, rows: Sequence[ResultRow]) -> Candidate:
    assert trial.values is not None  # noqa: S101 (a complete trial has them)
    split = _split_of(rows)
    chosen_by = [row for row in rows if row.split == split]
    measured = [_row_of(objective, value, trial, chosen_by) for objective, value in zip(study.objectives, trial.values, strict=True)]
    verdicts = [row.verdict for row in rows if row.verdict is not None]
    return Candidate(
        trial=trial.number,
        settings=trial.params,
        figures=tuple(
            _figure(objective, value, row) for objective, value, row in zip(study.objectives, trial.values, measured, strict=True)
        ),
        verdict=verdicts[0] if verdicts else None,
        model_key=trial.model_key or "",
        is_feasible=trial.is_feasible,
        tested=_tested(study.objectives, measured, rows) if split == "validation" else (),
        dataset=next((row.dataset for row in rows), ""),
    )


def _split_of(rows: Iterable[ResultRow]) -> SplitName:
    """Return the split that is chosen by: validation where there are figures on it."""
    return "validation" if any(row.split == "validation" for row in rows) else "test"


def _tested(
    objectives: Sequence[str], measured: Sequence[ResultRow | None], rows: Sequence[ResultRow]
) -> tuple[ObjectiveValue | None, ...]:
    """Return the figures on test that correspond to those of the rows on validation."""
    twins = [None if row is None else _twin(row, rows) for row in measured]
    return tuple(
        None if twin is None else _of_row(objective.split(" ", 1)[0], twin) for objective, twin in zip(objectives, twins, strict=True)
    )


def _twin(row: ResultRow, rows: Iterable[ResultRow]) -> ResultRow | None:
    """Return the row on test of the same model under the same attack."""
    alike = (other for other in rows if other.split == "test" and all(getattr(other, name) == getattr(row, name) for name in _ATTACK))
    return next(alike, None)


def _of_row(metric: str, row: ResultRow) -> ObjectiveValue | None:
    share, low, high = _interval(metric, row)
    return None if share is None else ObjectiveValue(value=share, low=low, high=high)


def _figure(objective: str, value: float, row: ResultRow | None) -> ObjectiveValue:
    found = None if row is None else _of_row(objective.split(" ", 1)[0], row)
    return ObjectiveValue(value=value) if found is None else replace(found, value=value)


def _row_of(objective: str, value: float, trial: Trial, rows: Iterable[ResultRow]) -> ResultRow | None:
    """Return the row that a value comes from; a row with another value belongs to another measurement."""
    metric, *named = objective.split(" ")
    for row in rows:
        share, _, _ = _interval(metric, row)
        if share is not None and isclose(share, value, abs_tol=1e-9) and _is_of(metric, named, trial, row):
            return row
    return None


def _interval(metric: str, row: ResultRow) -> tuple[float | None, float | None, float | None]:
    if metric == "clean_accuracy":
        return row.clean_accuracy, row.clean_ci_low, row.clean_ci_high
    is_worst = row.attack == "worst_case"
    if metric not in SHARES or is_worst != (metric == "worst_case_accuracy"):
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


def of_grid(rows: Sequence[ResultRow], *, epsilon: str | None, choose: bool = False, split: SplitName | None = None) -> Field:
    """Return the models of a grid by clean and worst-case accuracy at one epsilon, over attackers of every knowledge if there are several.

    Args:
        rows: results, and worst cases over attacks.
        epsilon: the one of the worst case; None for the only one.
        choose: of several epsilons take the largest that still separates models; and where more models met one attack than have a worst
            case the attack that most met and that leaves the least, or without any clean accuracy alone.
        split: the one that figures are on; None for validation where there are any on it, else test.

    Raises:
        UserError: no model was attacked, at that epsilon or at all, or at several and none is named; or nothing is on that split.
    """
    every, split = rows, _split_of(rows) if split is None else split
    rows = [row for row in every if row.split == split]
    if not rows and every:
        raise UserError(f"--split {split}: nothing of this sweep was measured on it; data.validation_examples holds examples out")
    clean = {row.model_key: row for row in rows if row.clean_accuracy is not None}
    found = {**(_strongest(rows) if choose else {}), **_worst_cases(rows)}
    if not found and choose and epsilon is None:
        return _of_models({key: (row,) for key, row in clean.items()}, ("clean_accuracy",), every)
    objective = _objective(found, epsilon, choose=choose)
    models = {key: (row, row) for key, row in found[objective].items()}
    return _of_models(models, ("clean_accuracy", objective), every)


Attacked = Mapping[str, Mapping[str, ResultRow]]
"""Rows of models by their keys, under each objective: `worst_case_accuracy 8/255`."""


def _worst_cases(rows: Iterable[ResultRow]) -> Attacked:
    found: dict[float, dict[str, ResultRow]] = {}
    literals: dict[float, str] = {}
    for row in rows:
        if row.attack == "worst_case" and row.clean_accuracy is not None and row.robust_accuracy is not None:
            literals[row.epsilon] = row.epsilon_literal
            of_epsilon = found.setdefault(row.epsilon, {})
            if row.model_key not in of_epsilon or _widest(row) > _widest(of_epsilon[row.model_key]):
                of_epsilon[row.model_key] = row
    return {f"worst_case_accuracy {literals[epsilon]}": found[epsilon] for epsilon in sorted(found)}


def _strongest(rows: Sequence[ResultRow]) -> Attacked:
    """Of each epsilon the rows of one attack, which most models met; of several that which leaves the least."""
    found: dict[float, AttackCondition] = {}
    for one in conditions([row for row in rows if row.attack != "worst_case" and row.clean_accuracy is not None], by_epsilon=True):
        epsilon = one.rows[0].epsilon
        if epsilon not in found or _strength(one) > _strength(found[epsilon]):
            found[epsilon] = one
    return {f"robust_accuracy {found[epsilon].label}": {row.model_key: row for row in found[epsilon].rows} for epsilon in sorted(found)}


def _strength(condition: AttackCondition) -> tuple[int, float]:
    return len({row.model_key for row in condition.rows}), -fmean(row.robust_accuracy or 0.0 for row in condition.rows)


def _of_models(models: Mapping[str, tuple[ResultRow, ...]], objectives: tuple[str, ...], every: Sequence[ResultRow]) -> Field:
    settings = {key: settings_of(rows[0]) for key, rows in models.items()}
    axes = Axes.of(settings.values())
    of_model: defaultdict[str, list[ResultRow]] = defaultdict(list)
    for row in every:
        of_model[row.model_key].append(row)
    found = tuple(
        Candidate(
            trial=None,
            settings={title: _cell(settings[key][name]) for name, title in axes.titles.items() if name in settings[key]},
            figures=(_clean_figure(rows[0]), *(_robust_figure(row) for row in rows[1:])),
            verdict=rows[0].verdict,
            model_key=key,
            tested=_tested(objectives, rows, of_model[key]) if rows[0].split == "validation" else (),
            dataset=rows[0].dataset,
        )
        for key, rows in models.items()
    )
    goals: tuple[ObjectiveGoal, ...] = tuple("maximize" for _ in objectives)
    return Field(objectives=objectives, goals=goals, candidates=found, split=_split_of([row for rows in models.values() for row in rows]))


def _cell(value: Any) -> Cell:
    return value if isinstance(value, bool | int | float | str) else in_words(value)


def _clean_figure(row: ResultRow) -> ObjectiveValue:
    return ObjectiveValue(value=row.clean_accuracy or 0.0, low=row.clean_ci_low, high=row.clean_ci_high)


def _robust_figure(row: ResultRow) -> ObjectiveValue:
    return ObjectiveValue(value=row.robust_accuracy or 0.0, low=row.ci_low, high=row.ci_high)


def _widest(row: ResultRow) -> tuple[bool, int, int]:
    return row.knowledge == "any", row.attacks, row.n_examples


def _objective(found: Attacked, asked: str | None, *, choose: bool) -> str:
    """The objective at the epsilon that is asked for; else at the only one, or the largest that separates."""
    first = {objective: next(iter(rows.values())) for objective, rows in found.items()}
    there = {objective: row.epsilon_literal for objective, row in first.items()}
    try:
        value = None if asked is None else float(positive_fraction(asked))
    except ValueError as error:
        raise UserError(f"--epsilon {asked!r}: {error}") from None
    if not there and choose:
        raise UserError(f"--epsilon {asked}: no attack of this sweep is done yet")
    if not there:
        raise UserError("best: no model of this sweep has a worst case; it takes finished attacks, on randomised models in two repeats")
    named = [objective for objective, row in first.items() if value in (None, row.epsilon)]
    if not named:
        raise UserError(f"--epsilon {asked}: no attack of this sweep was made at it; one of {', '.join(dict.fromkeys(there.values()))}")
    if len(named) > 1 and not choose:
        raise UserError(f"--epsilon: which one? one of {', '.join(there.values())}")
    return max(
        named, key=lambda objective: (len(found[objective]), objective.startswith("worst"), *_separation(list(found[objective].values())))
    )


def _separation(rows: Sequence[ResultRow]) -> tuple[int, float]:
    """Separation of the rows (see `separation`), then their epsilon."""
    return separation((row.robust_accuracy or 0.0, row.ci_low, row.ci_high) for row in rows), rows[0].epsilon


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
