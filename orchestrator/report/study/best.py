"""`robustsweep best`: the Pareto-optimal models."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from rich.console import RenderableType

from orchestrator.axes import title
from orchestrator.paths import Paths
from orchestrator.report.study.candidates import Candidate, Field, ObjectiveValue, front, is_accuracy, of_grid, of_study
from orchestrator.report.study.read_study import StudyRecord, read_study
from orchestrator.store import open_store, result_rows
from orchestrator.store.reading.gaps import missing
from orchestrator.tables.table import Cell, Column, Table, TableRow, table_of
from orchestrator.tables.writers import Format, render
from workers.errors import UserError


@dataclass(frozen=True, kw_only=True)
class BestOptions:
    """Options of `best`: `epsilon` of a grid's worst case, and `any_verdict` to admit models whose verdict is unsound."""

    paths: Paths
    sweep: str
    epsilon: str | None = None
    any_verdict: bool = False
    every_space: bool = False


def best_of(options: BestOptions, form: Format) -> tuple[str | RenderableType, list[str]]:
    """Return the table of `best_table` in the asked format, and its notes."""
    table, notes = best_table(options)
    return render(table, form), notes


def best_table(options: BestOptions) -> tuple[Table, list[str]]:
    """Return the front (with one objective, the best trial), and notes on the models that were left out.

    Raises:
        UserError: no such sweep or store, or nothing has been measured.
    """
    field, study, gaps = read_field(options)
    kept, notes = admitted(field.candidates, any_verdict=options.any_verdict)
    if not field.candidates:
        raise UserError(f"best {options.sweep}: no trial of this search is complete yet")
    found = front(kept, field.goals)
    return _table(field, found, is_study=study is not None), [*notes, *gaps]


def read_field(options: BestOptions, *, choose: bool = False) -> tuple[Field, StudyRecord | None, list[str]]:
    """Return what is compared, the study of a search (None of a grid), and notes on models that are not among it; `choose` as `of_grid`."""
    with open_store(options.paths.store_url, upgrade=False) as store:
        read = partial(result_rows, store, options.sweep, per_repeat=False, every_space=options.every_space)
        rows, worst = read(), read(worst=True)
        study, gaps = read_study(store, options.sweep), missing(store, options.sweep, earlier=not options.every_space)
    if study is not None:
        if options.epsilon is not None:
            raise UserError(f"--epsilon: sweep {options.sweep} is a search, and its objectives say at which epsilon")
        return of_study(study, rows, worst), study, [*gaps]
    field = of_grid([*rows, *worst], epsilon=options.epsilon, choose=choose)
    lacking = len({row.model_key for row in rows}) - len(field.candidates)
    return field, None, [*([f"left out: {number_of(lacking)} without {' or '.join(field.objectives)}"] if lacking else []), *gaps]


def admitted(candidates: Sequence[Candidate], *, any_verdict: bool) -> tuple[list[Candidate], list[str]]:
    """Return the candidates that may be best, and notes on the numbers and reasons of the others."""
    feasible = [candidate for candidate in candidates if candidate.is_feasible]
    kept = [candidate for candidate in feasible if any_verdict or candidate.verdict != "unsound"]
    violating, unsound = len(candidates) - len(feasible), len(feasible) - len(kept)
    notes = [f"left out: {number_of(violating)} beyond a constraint"] if violating else []
    notes += [f"left out: {number_of(unsound)} whose verdict is unsound; --any-verdict admits them"] if unsound else []
    unjudged = sum(candidate.verdict is None for candidate in kept)
    notes += [f"{number_of(unjudged)} without a verdict; a section diagnosis in the space gives one"] if unjudged else []
    return kept, notes


def number_of(amount: int) -> str:
    return f"{amount} model{'' if amount == 1 else 's'}"


def _table(field: Field, found: Sequence[Candidate], *, is_study: bool) -> Table:
    """Return the models: names as in the space, shares in [0, 1], full keys; people see words, percentages, first digits of keys."""
    names = _settings(found)
    settings = table_of(names, [[one.settings.get(name) for name in names] for one in found]).columns
    named = [replace(column, heading=title(column.name, names) if is_study else None) for column in settings]
    columns = [*([Column("trial", "number")] if is_study else []), *named]
    columns += [column for objective in field.objectives for column in _columns(objective)]
    rows: list[TableRow] = [
        (
            *([one.trial] if is_study else []),
            *(one.settings.get(name) for name in names),
            *(cell for objective, figure in zip(field.objectives, one.figures, strict=True) for cell in _cells(objective, figure)),
            one.verdict,
            one.model_key,
        )
        for one in found
    ]
    return Table(columns=(*columns, Column("verdict"), Column("model key", "key")), rows=tuple(rows))


def _columns(objective: str) -> list[Column]:
    if not is_accuracy(objective):
        return [Column(objective, "number", objective.replace("_", " "))]
    return [
        Column(objective, "percent", f"{objective.replace('_', ' ')} %"),
        *(Column(f"{objective} 95% {end}", "number", only="programs") for end in ("low", "high")),
        Column("95% interval", only="people"),
    ]


def _cells(objective: str, figure: ObjectiveValue) -> list[Cell]:
    if not is_accuracy(objective):
        return [figure.value]
    known = figure.low is not None and figure.high is not None
    return [figure.value, figure.low, figure.high, f"{100 * (figure.low or 0):.1f}-{100 * (figure.high or 0):.1f}" if known else None]


def _settings(found: Sequence[Candidate]) -> list[str]:
    return list(dict.fromkeys(name for candidate in found for name in candidate.settings))
