"""Sections of a search's page: its pictures, and a table of every trial."""

from collections.abc import Sequence

from markupsafe import Markup

from orchestrator.figures.picture import Record
from orchestrator.report.study import pictures
from orchestrator.report.study.candidates import Candidate, Field
from orchestrator.report.study.pictures import settings_of, shown, unit
from orchestrator.report.study.read_study import StudyRecord
from orchestrator.report.sweep_page.page import packed_table
from orchestrator.report.sweep_page.payload import table_of_records
from orchestrator.report.sweep_page.sections import Section


def sections_of(study: StudyRecord, field: Field, kept: Sequence[Candidate], best: Sequence[Candidate]) -> list[Section]:
    standing = pictures.standings(field, kept, best)
    fill = "To fill this: a complete trial; this search has none yet."
    there = bool(field.candidates)
    fronts, histories = pictures.fronts(field, standing), pictures.histories(field, standing)
    important, slices = pictures.importances(study), pictures.slices(field, standing)
    of_one = [] if fronts or not there else histories
    return [
        Section(name="front", title="Front" if fronts else "Best", choices={"": fronts or of_one} if there else {}, fill=fill),
        *([Section(name="history", title="History", choices={"": histories} if there else {}, fill=fill)] if not of_one else []),
        Section(
            name="importance",
            title="Parameter importance",
            choices={"": important} if important else {},
            fill="To fill this: more complete trials, with different results.",
        ),
        Section(name="slices", title="By parameter", choices=slices, first=next(iter(slices), ""), fill=fill),
    ]


def trials_html(study: StudyRecord, field: Field) -> Markup:
    return packed_table(table_of_records(trials_table(study, field)), fill_with="a trial; this search has none yet")


def trials_table(study: StudyRecord, field: Field) -> list[Record]:
    """Return every trial as a row: its values, its objectives with their intervals, and the reason why it has none."""
    by_trial = {candidate.trial: candidate for candidate in field.candidates}
    names = list(dict.fromkeys(name for trial in study.trials for name in trial.params))
    table: list[Record] = []
    for trial in study.trials:
        candidate = by_trial.get(trial.number)
        row: Record = {"trial": trial.number, "state": trial.state, "kind": trial.kind.replace("_", " ") or "searched"}
        row |= {**dict.fromkeys(names), **settings_of(trial.params)}
        for place, objective in enumerate(study.objectives):
            value, low, high = shown(objective, candidate.figures[place]) if candidate else (None, None, None)
            row |= {unit(objective): value, f"{unit(objective)} 95% interval": None if low is None else f"{low:.1f}-{high:.1f}"}
        violated = ", ".join(name for name, violation in trial.violations.items() if violation > 0)
        row |= {"verdict": candidate.verdict if candidate else None, "violates": violated or None, "model key": (trial.model_key or "")[:8]}
        table.append({**row, "reason": trial.reason or None})
    return table
