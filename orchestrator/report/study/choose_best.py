"""`robustsweep best`: the Pareto-optimal models."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.naming.names import counted
from orchestrator.naming.varying_axes import title
from orchestrator.paths import Paths
from orchestrator.report.study.candidates import Candidate, Field, ObjectiveValue, front, is_accuracy, of_grid, of_study
from orchestrator.report.study.read_study import StudyRecord, read_study
from orchestrator.store import open_store, result_rows
from orchestrator.store.reading.gaps import missing
from orchestrator.tables.footnotes import footnotes
from orchestrator.tables.table import Cell, Column, Table, TableRow, table_of
from workers.errors import UserError
from workers.spec.fields import SplitName


@dataclass(frozen=True, kw_only=True)
class BestOptions:
    """Options of `best`: `epsilon` of a grid's worst case, the `split` that a grid's models are chosen on (None: validation where they were
    measured on it, else test), and `any_verdict` to admit models whose verdict is unsound."""

    paths: Paths
    sweep: str
    epsilon: str | None = None
    any_verdict: bool = False
    every_space: bool = False
    split: SplitName | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Outcome of `best`: its table, notes, and the data set of each model that was chosen among by its results on test; none where the
    choice was made on validation, or by a search, which has counted its looks itself."""

    table: Table
    notes: list[str]
    looked_at: tuple[str, ...] = ()


def choose_best(options: BestOptions) -> Choice:
    """Return the front (with one objective, the best trial), and notes on the models that were left out, and on the split.

    Raises:
        UserError: no such sweep or store, or nothing has been measured.
    """
    field, study, gaps = read_field(options)
    kept, notes = admitted(field.candidates, any_verdict=options.any_verdict)
    if not field.candidates:
        raise UserError(f"best {options.sweep}: no trial of this search is complete yet")
    found = front(kept, field.goals)
    table = _table(field, found, is_study=study is not None)
    looked_at = tuple(one.dataset for one in field.candidates) if study is None and field.split == "test" else ()
    return Choice(table=table, notes=[*notes, *gaps, *_on_split(field, found)], looked_at=looked_at)


def _on_split(field: Field, found: Sequence[Candidate]) -> list[str]:
    """Say what the models were chosen by."""
    if field.split == "test":
        return ["chosen on the test split, so what is best looks better than it is; hold out data.validation_examples to choose by"]
    lacking = [one for one in found if not any(one.tested)]
    untested = f"; {counted(len(lacking), 'model')} not measured on test" if lacking else ""
    return [f"chosen on the validation split; no choice has looked at the figures on test{untested}"]


def read_field(options: BestOptions, *, choose: bool = False) -> tuple[Field, StudyRecord | None, list[str]]:
    """Return what is compared, the study of a search (None of a grid), and notes on models that are not among it; `choose` as `of_grid`."""
    shown_by = "study" if choose else "best"
    with open_store(options.paths.store_url, upgrade=False) as store:
        read = partial(result_rows, store, options.sweep, per_repeat=False, every_space=options.every_space)
        rows, worst = read(), read(worst=True)
        study, gaps = read_study(store, options.sweep), missing(store, options.sweep, all_by=None if options.every_space else shown_by)
    if study is not None:
        if options.epsilon is not None:
            raise UserError(f"--epsilon: sweep {options.sweep} is a search, and its objectives say at which epsilon")
        if options.split is not None:
            raise UserError(f"--split: sweep {options.sweep} is a search, which has chosen already; data.validation_examples says on what")
        return of_study(study, rows, worst), study, [*gaps]
    field = of_grid([*rows, *worst], epsilon=options.epsilon, choose=choose, split=options.split)
    lacking = len({row.model_key for row in rows}) - len(field.candidates)
    return field, None, [*([f"left out: {counted(lacking, 'model')} without {' or '.join(field.objectives)}"] if lacking else []), *gaps]


def admitted(
    candidates: Sequence[Candidate], *, any_verdict: bool, admitted_by: str = "--any-verdict"
) -> tuple[list[Candidate], list[str]]:
    """Return the candidates that may be best, and notes on the numbers and reasons of the others; `admitted_by` is the option, or on a page
    the command, that admits those whose verdict is unsound."""
    feasible = [candidate for candidate in candidates if candidate.is_feasible]
    kept = [candidate for candidate in feasible if any_verdict or candidate.verdict != "unsound"]
    violating, unsound = len(candidates) - len(feasible), len(feasible) - len(kept)
    notes = [f"left out: {counted(violating, 'model')} beyond a constraint"] if violating else []
    notes += [f"left out: {counted(unsound, 'model')} whose verdict is unsound; {admitted_by} admits them"] if unsound else []
    unjudged = sum(candidate.verdict is None for candidate in kept)
    notes += [f"{counted(unjudged, 'model')} without a verdict; a section diagnosis in the space gives one"] if unjudged else []
    return kept, notes


def _table(field: Field, found: Sequence[Candidate], *, is_study: bool) -> Table:
    """Return the models: names as in the space, shares in [0, 1], full keys; people see words, percentages, first digits of keys."""
    names = _settings(found)
    settings = table_of(names, [[one.settings.get(name) for name in names] for one in found]).columns
    named = [replace(column, heading=title(column.name, names) if is_study else None) for column in settings]
    columns = [*([Column("trial", "number")] if is_study else []), *named]
    columns += [column for objective in field.objectives for column in _columns(objective)]
    tested = [(place, name) for place, name in enumerate(field.objectives) if any(one.tested and one.tested[place] for one in found)]
    columns += [column for _, objective in tested for column in _columns(f"{objective} on test")]
    rows: list[TableRow] = [
        (
            *([one.trial] if is_study else []),
            *(one.settings.get(name) for name in names),
            *(cell for objective, figure in zip(field.objectives, one.figures, strict=True) for cell in _cells(objective, figure)),
            *(cell for place, objective in tested for cell in _cells(objective, one.tested[place] if one.tested else None)),
            one.verdict,
            one.model_key,
        )
        for one in found
    ]
    table = Table(columns=(*columns, Column("verdict"), Column("model key", "key")), rows=tuple(rows))
    return replace(table, notes=footnotes(table))


def _columns(objective: str) -> list[Column]:
    if not is_accuracy(objective):
        return [Column(objective, "number", objective.replace("_", " "))]
    return [
        Column(objective, "percent", f"{objective.replace('_', ' ')} %"),
        *(Column(f"{objective} 95% {end}", "number", only="programs") for end in ("low", "high")),
        Column("95% interval", only="people"),
    ]


def _cells(objective: str, figure: ObjectiveValue | None) -> list[Cell]:
    if figure is None:
        return [None, None, None, None]
    if not is_accuracy(objective):
        return [figure.value]
    known = figure.low is not None and figure.high is not None
    return [figure.value, figure.low, figure.high, f"{100 * (figure.low or 0):.1f}-{100 * (figure.high or 0):.1f}" if known else None]


def _settings(found: Sequence[Candidate]) -> list[str]:
    return list(dict.fromkeys(name for candidate in found for name in candidate.settings))
