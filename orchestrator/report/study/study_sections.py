"""Sections of the page of a search or a grid: its pictures, and a table of every trial or model."""

from collections.abc import Sequence

from orchestrator.report.figures.picture import Record
from orchestrator.report.study import effect_pictures, objective_pictures
from orchestrator.report.study.candidates import Candidate, Field
from orchestrator.report.study.effects import Importance, seed_luck
from orchestrator.report.study.objective_pictures import settings_of, shown, unit
from orchestrator.report.study.read_study import StudyRecord
from orchestrator.report.sweep_page.sections import PageSection
from orchestrator.statistics.seed_share import SeedShare

Importances = Sequence[Sequence[Importance] | str]


def sections_of(
    field: Field, kept: Sequence[Candidate], best: Sequence[Candidate], important: Importances, *, is_search: bool
) -> list[PageSection]:
    standing = objective_pictures.standings(field, kept, best)
    fill = "To fill this: a complete trial; this search has none yet." if is_search else "To fill this: a finished evaluation of a model."
    there = bool(field.candidates)
    fronts, histories = objective_pictures.fronts(field, standing), objective_pictures.histories(field, standing) if is_search else []
    weighed = [
        effect_pictures.importance(unit(name), found)
        for name, found in zip(field.objectives, important, strict=True)
        if not isinstance(found, str)
    ]
    along, slices = effect_pictures.effects(field, kept), objective_pictures.slices(field, standing)
    of_each = {name: [*along.get(name, []), *slices[name]] for name in slices}
    at_once = effect_pictures.parallel(field, standing) if there else []
    best_first = fronts or histories or (next(iter(slices.values()), []))
    return [
        PageSection(name="front", title="Front" if fronts else "Best", choices={"": best_first} if there else {}, fill=fill),
        *(
            [PageSection(name="history", title="History", choices={"": histories} if there else {}, fill=fill)]
            if fronts and is_search
            else []
        ),
        PageSection(
            name="importance",
            title="Parameter importance",
            choices={"": weighed} if weighed else {},
            fill="To fill this: more models, with different results.",
            notes=[f"{unit(name)}: {found}." for name, found in zip(field.objectives, important, strict=True) if isinstance(found, str)],
        ),
        PageSection(name="slices", title="By parameter", choices=of_each, first=next(iter(of_each), ""), fill=fill),
        PageSection(name="parallel", title="All parameters", choices={"": at_once} if at_once else {}, fill=fill),
    ]


def seed_shares_in_words(field: Field) -> list[str]:
    """Say how much of each objective's spread is between training seeds of equal settings."""
    found = {name: seed_luck(field.candidates, effect_pictures.values_of(field, place)) for place, name in enumerate(field.objectives)}
    return [_luck(unit(name), one) for name, one in found.items() if one is not None]


def _luck(title: str, found: SeedShare) -> str:
    known = found.low is not None and found.high is not None
    interval = f" (95 % interval {100 * (found.low or 0):.0f} to {100 * (found.high or 0):.0f})" if known else ""
    luck = f"seed luck is {100 * found.share:.0f} % of the variance between models{interval}"
    return f"{title}: {luck}; models that differ in their seed alone deviate by {found.deviation:.3g}."


def models_table(field: Field, standing: Sequence[str]) -> list[Record]:
    """Return every model of a grid as a row, the best in the last objective first."""
    ordered = sorted(zip(field.candidates, standing, strict=True), key=lambda pair: -pair[0].figures[-1].value)
    names = dict.fromkeys(name for candidate in field.candidates for name in candidate.settings)
    return [
        {**dict.fromkeys(names), **settings_of(one.settings), **_figures(field.objectives, one), "standing": stands, "verdict": one.verdict}
        | {"model key": one.model_key[:8]}
        for one, stands in ordered
    ]


def _figures(objectives: Sequence[str], candidate: Candidate | None) -> Record:
    row: Record = {}
    for place, objective in enumerate(objectives):
        value, low, high = shown(objective, candidate.figures[place]) if candidate else (None, None, None)
        row |= {unit(objective): value, f"{unit(objective)} 95% interval": None if low is None else f"{low:.1f}-{high:.1f}"}
    return row


def trials_table(study: StudyRecord, field: Field) -> list[Record]:
    """Return every trial as a row: its values, its objectives with their intervals, and the reason why it has none."""
    by_trial = {candidate.trial: candidate for candidate in field.candidates}
    names = list(dict.fromkeys(name for trial in study.trials for name in trial.params))
    table: list[Record] = []
    for trial in study.trials:
        candidate = by_trial.get(trial.number)
        row: Record = {"trial": trial.number, "state": trial.state, "kind": trial.kind.replace("_", " ") or "searched"}
        row |= {**dict.fromkeys(names), **settings_of(trial.params)}
        row |= _figures(study.objectives, candidate)
        violated = ", ".join(name for name, violation in trial.violations.items() if violation > 0)
        row |= {"verdict": candidate.verdict if candidate else None, "violates": violated or None, "model key": (trial.model_key or "")[:8]}
        table.append({**row, "reason": trial.reason or None})
    return table
