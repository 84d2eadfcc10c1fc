"""`robustsweep best`: the models that nothing beats."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType

from orchestrator.paths import Places
from orchestrator.report.study.candidates import Candidate, Field, ObjectiveValue, front, is_accuracy, of_grid, of_study
from orchestrator.report.study.read_study import read_study
from orchestrator.store import open_store, result_rows
from orchestrator.tables.table import Table, table_of
from orchestrator.tables.writers import DATA_FORMATS, Format, render
from workers.errors import UserError

_KEY_DIGITS = 8


@dataclass(frozen=True, kw_only=True)
class BestOptions:
    """What is asked: `epsilon` of a grid's worst case, and whether models count whose robustness is not real."""

    places: Places
    sweep: str
    epsilon: str | None = None
    any_verdict: bool = False


def best_of(options: BestOptions, form: Format) -> tuple[str | RenderableType, list[str]]:
    """The front, or the best trial where there is one objective, and what was left out, a line each.

    Raises:
        UserError: no such sweep or store, or nothing has been measured.
    """
    field, is_study = read_field(options)
    kept, notes = admitted(field.candidates, any_verdict=options.any_verdict)
    if not field.candidates:
        raise UserError(f"best {options.sweep}: no trial of this search is complete yet")
    found = front(kept, field.goals)
    table = (_for_programs if form in DATA_FORMATS else _for_people)(field, found, is_study=is_study)
    return render(table, form), notes


def read_field(options: BestOptions) -> tuple[Field, bool]:
    """The candidates of a sweep, and whether it is a search."""
    with open_store(options.places.store_url, upgrade=False) as store:
        worst = result_rows(store, options.sweep, per_repeat=False, worst=True)
        study = read_study(store, options.sweep)
        if study is None:
            return of_grid(worst, epsilon=options.epsilon), False
        if options.epsilon is not None:
            raise UserError(f"--epsilon: sweep {options.sweep} is a search, and its objectives say at which epsilon")
        return of_study(study, result_rows(store, options.sweep, per_repeat=False), worst), True


def admitted(candidates: Sequence[Candidate], *, any_verdict: bool) -> tuple[list[Candidate], list[str]]:
    """Those that may be best, and how many may not and why."""
    feasible = [candidate for candidate in candidates if candidate.is_feasible]
    kept = [candidate for candidate in feasible if any_verdict or candidate.verdict != "unsound"]
    violating, unsound = len(candidates) - len(feasible), len(feasible) - len(kept)
    notes = [f"left out: {_number(violating)} beyond a constraint"] if violating else []
    notes += [f"left out: {_number(unsound)} whose verdict is unsound; --any-verdict admits them"] if unsound else []
    unjudged = sum(candidate.verdict is None for candidate in kept)
    notes += [f"{_number(unjudged)} without a verdict; a section diagnosis in the space gives one"] if unjudged else []
    return kept, notes


def _number(amount: int) -> str:
    return f"{amount} model{'' if amount == 1 else 's'}"


def _for_programs(field: Field, found: Sequence[Candidate], *, is_study: bool) -> Table:
    """Names as they are in the space, shares in [0, 1], whole keys."""
    settings = _settings(found)
    columns = [*(["trial"] if is_study else []), *settings]
    for objective in field.objectives:
        columns += [objective, *([f"{objective} 95% low", f"{objective} 95% high"] if is_accuracy(objective) else [])]
    rows: list[list[Any]] = []
    for one in found:
        figures = zip(field.objectives, one.figures, strict=True)
        cells = [cell for objective, figure in figures for cell in _ends(figure)[: 3 if is_accuracy(objective) else 1]]
        rows.append([*([one.trial] if is_study else []), *map(one.settings.get, settings), *cells, one.verdict, one.model_key])
    return table_of([*columns, "verdict", "model key"], rows)


def _ends(figure: ObjectiveValue) -> list[float | None]:
    return [figure.value, figure.low, figure.high]


def _for_people(field: Field, found: Sequence[Candidate], *, is_study: bool) -> Table:
    """Words that a narrow table can break, percentages, the first digits of keys."""
    settings = _settings(found)
    columns = [*(["trial"] if is_study else []), *(name.replace(".", " ").replace("_", " ") for name in settings)]
    for objective in field.objectives:
        words = objective.replace("_", " ")
        columns += [f"{words} %", "95% interval"] if is_accuracy(objective) else [words]
    rows: list[list[Any]] = []
    for one in found:
        figures = zip(field.objectives, one.figures, strict=True)
        cells = [cell for objective, figure in figures for cell in _said(objective, figure)]
        rows.append(
            [*([one.trial] if is_study else []), *map(one.settings.get, settings), *cells, one.verdict, one.model_key[:_KEY_DIGITS]]
        )
    return table_of([*columns, "verdict", "model key"], rows)


def _said(objective: str, figure: ObjectiveValue) -> list[Any]:
    if not is_accuracy(objective):
        return [figure.value]
    known = figure.low is not None and figure.high is not None
    return [round(100 * figure.value, 1), f"{100 * (figure.low or 0):.1f}-{100 * (figure.high or 0):.1f}" if known else None]


def _settings(found: Sequence[Candidate]) -> list[str]:
    return list(dict.fromkeys(name for candidate in found for name in candidate.settings))
