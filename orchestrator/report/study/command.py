"""`robustsweep study SWEEP`: a search in one page, and in a few lines."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.escaping import html
from orchestrator.places import Places
from orchestrator.report.atomic import write_atomically
from orchestrator.report.study.best import admitted
from orchestrator.report.study.candidates import Candidate, Field, front, of_study
from orchestrator.report.study.reading import StudyRecord, read_study
from orchestrator.report.sweep_page.command import ImageForm
from orchestrator.report.sweep_page.naming import slug
from orchestrator.store import open_store, result_rows
from workers.errors import UserError

if TYPE_CHECKING:
    from orchestrator.figures.picture import Cell, Table
    from orchestrator.report.sweep_page.sections import Section

_TOLD_BY_KIND = ("warm_start", "duplicate", "illegal", "failed")


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """What to write: the page to `output` (None: `SWEEP-study.html` here) and, where a folder is named, every figure as an image."""

    places: Places
    sweep: str
    output: Path | None = None
    figures: Path | None = None
    image: ImageForm = "svg"
    any_verdict: bool = False


def study_page(options: StudyOptions) -> tuple[list[Path], str]:
    """Write the page; the files that were written, the page first, and the search in a few lines.

    Raises:
        UserError: no such sweep or store, the sweep is no search, a package or a browser is missing, or a file cannot be written.
    """
    if find_spec("plotly") is None:
        raise UserError("study: needs the package plotly: pip install 'robustsweep[dashboard]'")
    from orchestrator.report.sweep_page.images import write_images
    from orchestrator.report.sweep_page.page import page_html, section_html

    with open_store(options.places.store_url, upgrade=False) as store:
        rows, worst = (result_rows(store, options.sweep, per_repeat=False, worst=worst) for worst in (False, True))
        study = read_study(store, options.sweep, importances=True)
    if study is None:
        raise UserError(f"study {options.sweep}: is no search; `robustsweep best {options.sweep}` and `robustsweep report` are for grids")
    field = of_study(study, rows, worst)
    kept, notes = admitted(field.candidates, any_verdict=options.any_verdict)
    best = front(kept, field.goals)
    sections = _sections(study, field, kept, best)
    numbers = count()
    bodies = [(section.name, section.title, section_html(section, numbers)) for section in sections]
    bodies = [*bodies[:1], ("trials", "Trials", _trials_html(study, field)), *bodies[1:]]
    output = (options.output or Path(f"{slug(options.sweep)}-study.html")).expanduser()
    said = summary(study, best)
    heading = "".join(f"<p>{html(line)}</p>" for line in [*said, *notes])
    write_atomically(output, page_html("study", study.name, summary=heading, bodies=bodies).encode())
    images = [] if options.figures is None else write_images(sections, options.figures, form=options.image)
    return [output, *images], "\n".join([*said, *notes])


def summary(study: StudyRecord, best: Sequence[Candidate]) -> list[str]:
    """How many trials there are and what they came to."""
    states = Counter(trial.kind if trial.kind in _TOLD_BY_KIND else trial.state for trial in study.trials)
    counted = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in states.most_common())
    wanted = ", ".join(f"{goal} {objective}" for goal, objective in zip(study.goals, study.objectives, strict=True))
    first = "the best is" if len(study.objectives) == 1 else f"{len(best)} that nothing beats:"
    named = ", ".join(f"trial {candidate.trial}" for candidate in best[:8]) + (" ..." if len(best) > 8 else "")  # noqa: PLR2004 (one line)
    found = f"; {first} {named}" if best else "; none is complete and admitted yet"
    return [f"{wanted}.", f"{len(study.trials)} trials: {counted}{found}."]


def _sections(study: StudyRecord, field: Field, kept: Sequence[Candidate], best: Sequence[Candidate]) -> list["Section"]:
    from orchestrator.report.study import pictures
    from orchestrator.report.sweep_page.sections import Section

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
            title="What mattered",
            choices={"": important} if important else {},
            fill="To fill this: more complete trials, which differ in what they came to.",
        ),
        Section(name="slices", title="By parameter", choices=slices, first=next(iter(slices), ""), fill=fill),
    ]


def _trials_html(study: StudyRecord, field: Field) -> str:
    from orchestrator.report.sweep_page.page import table_html
    from orchestrator.report.sweep_page.payload import columns_of

    table = trials_table(study, field)
    return table_html(columns_of(table), len(table)) if table else '<p class="empty">To fill this: a trial; this search has none yet.</p>'


def trials_table(study: StudyRecord, field: Field) -> "Table":
    """Every trial: what was chosen, what it came to with its intervals, and why it has no values."""
    from orchestrator.report.study.pictures import settings_of, shown, unit

    by_trial = {candidate.trial: candidate for candidate in field.candidates}
    names = list(dict.fromkeys(name for trial in study.trials for name in trial.params))
    table: Table = []
    for trial in study.trials:
        candidate = by_trial.get(trial.number)
        row: dict[str, Cell] = {"trial": trial.number, "state": trial.state, "kind": trial.kind.replace("_", " ") or "searched"}
        row |= {**dict.fromkeys(names), **settings_of(trial.params)}
        for place, objective in enumerate(study.objectives):
            value, low, high = shown(objective, candidate.figures[place]) if candidate else (None, None, None)
            row |= {unit(objective): value, f"{unit(objective)} 95% interval": None if low is None else f"{low:.1f}-{high:.1f}"}
        violated = ", ".join(name for name, violation in trial.violations.items() if violation > 0)
        row |= {"verdict": candidate.verdict if candidate else None, "violates": violated or None, "model key": (trial.model_key or "")[:8]}
        table.append({**row, "reason": trial.reason or None})
    return table
