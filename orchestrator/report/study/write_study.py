"""`robustsweep study SWEEP`: what mattered in a search or a grid, as one page, and as a short summary."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.naming.names import counted, slug
from orchestrator.paths import write_atomically
from orchestrator.report.figures.paper import ImageForm, PaperStyle
from orchestrator.report.study.candidates import Candidate, Field, front
from orchestrator.report.study.choose_best import BestOptions, admitted, read_field
from orchestrator.report.study.read_study import StudyRecord

if TYPE_CHECKING:
    from orchestrator.report.study.effects import Importance

_MOST_NAMED = 8
_TOLD_BY_KIND = ("warm_start", "parent", "duplicate", "illegal", "failed")


@dataclass(frozen=True, kw_only=True)
class StudyOptions(BestOptions):
    """Options of `study`: `output` is the page's file (None: `SWEEP-study.html` here), `figures` a folder for all figures as images;
    the `epsilon` of a grid is, where None, the largest at which models still differ."""

    output: Path | None = None
    figures: Path | None = None
    image: ImageForm = "svg"
    style: PaperStyle = field(default_factory=PaperStyle)


def study_page(options: StudyOptions) -> tuple[list[Path], str]:
    """Write the page; return the files that were written, the page first, and a short summary of the search or the grid.

    Raises:
        UserError: no such sweep or store, no result at the epsilon, a browser is missing, or a file cannot be written.
    """
    if options.figures is not None:
        from orchestrator.report.browser import find_browser

        find_browser()
    from orchestrator.report.study.effect_pictures import importances_of
    from orchestrator.report.study.objective_pictures import standings, unit
    from orchestrator.report.study.study_sections import models_table, sections_of, seed_shares_in_words, trials_table
    from orchestrator.report.sweep_page.page import packed_table, page_html, section_bodies
    from orchestrator.report.sweep_page.payload import table_of_records

    field, study, left_out = read_field(options, choose=True)
    kept, notes = admitted(field.candidates, any_verdict=options.any_verdict)
    best, important = front(kept, field.goals), importances_of(field)
    sections = sections_of(field, kept, best, important, is_search=study is not None)
    bodies = list(section_bodies(sections))
    if study is None:
        heading, thing = "Models", "a finished evaluation or attack; this sweep has none yet"
        table, said = models_table(field, standings(field, kept, best)), summary_of_grid(field, best)
    else:
        heading, thing = "Trials", "a trial; this search has none yet"
        table, said = trials_table(study, field), summary(study, best)
    listed = (heading.lower(), heading, packed_table(table_of_records(table), fill_with=thing))
    said += [f"{unit(name)}: {_explained(found)}." for name, found in zip(field.objectives, important, strict=True) if field.candidates]
    said += seed_shares_in_words(field)
    output = (options.output or Path(f"{slug(options.sweep)}-study.html")).expanduser()
    lines = [*said, *left_out, *notes]
    write_atomically(output, page_html("study", options.sweep, summary=lines, bodies=[*bodies[:1], listed, *bodies[1:]]).encode())
    if options.figures is None:
        return [output], "\n".join(lines)
    from orchestrator.report.sweep_page.figure_files import write_images  # here: only images need what drives a browser

    return [output, *write_images(sections, options.figures, form=options.image, style=options.style)], "\n".join(lines)


def summary_of_grid(field: Field, best: Sequence[Candidate]) -> list[str]:
    """Summarize the number of models, what they are compared by, and the best."""
    found = f"; {len(best)} on the front: {_named([one.name for one in best], '; ')}" if best else ""
    return [f"{counted(len(field.candidates), 'model')} by {' and '.join(field.objectives)}{found}."]


def _named(names: Sequence[str], between: str) -> str:
    return between.join(names[:_MOST_NAMED]) + (" ..." if len(names) > _MOST_NAMED else "")


def _explained(found: "Sequence[Importance] | str") -> str:
    """Say what each axis explains of an objective, or why that is not known."""
    if isinstance(found, str):
        return found
    return ", ".join(f"{one.axis} explains {100 * one.share:.0f} % ({100 * one.low:.0f}-{100 * one.high:.0f})" for one in found)


def summary(study: StudyRecord, best: Sequence[Candidate]) -> list[str]:
    """Summarize the number of trials and their outcomes."""
    states = Counter(trial.kind if trial.kind in _TOLD_BY_KIND else trial.state for trial in study.trials)
    by_state = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in states.most_common())
    wanted = ", ".join(f"{goal} {objective}" for goal, objective in zip(study.goals, study.objectives, strict=True))
    first = "the best is" if len(study.objectives) == 1 else f"{len(best)} on the front:"
    found = f"; {first} {_named([one.name for one in best], ', ')}" if best else "; none is complete and admitted yet"
    return [f"{wanted}.", f"{counted(len(study.trials), 'trial')}: {by_state}{found}."]
