"""`robustsweep study SWEEP`: a search as one page, and as a short summary."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.names import slug
from orchestrator.paths import Paths, write_atomically
from orchestrator.report.requirements import check_requirements
from orchestrator.report.study.best import admitted
from orchestrator.report.study.candidates import Candidate, front, of_study
from orchestrator.report.study.read_study import StudyRecord, read_study
from orchestrator.report.sweep_page.write_page import ImageForm
from orchestrator.store import open_store, result_rows
from workers.errors import UserError

_TOLD_BY_KIND = ("warm_start", "parent", "duplicate", "illegal", "failed")


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Options of `study`: `output` is the page's file (None: `SWEEP-study.html` here), `figures` a folder for all figures as images."""

    paths: Paths
    sweep: str
    output: Path | None = None
    figures: Path | None = None
    image: ImageForm = "svg"
    any_verdict: bool = False


def study_page(options: StudyOptions) -> tuple[list[Path], str]:
    """Write the page; return the files that were written, the page first, and a short summary of the search.

    Raises:
        UserError: no such sweep or store, the sweep is no search, a package or a browser is missing, or a file cannot be written.
    """
    check_requirements("study", images=options.figures is not None)
    from orchestrator.report.study.study_sections import sections_of, trials_html
    from orchestrator.report.sweep_page.images import write_images
    from orchestrator.report.sweep_page.page import page_html, section_bodies

    with open_store(options.paths.store_url, upgrade=False) as store:
        rows, worst = (result_rows(store, options.sweep, per_repeat=False, worst=worst) for worst in (False, True))
        study = read_study(store, options.sweep, importances=True)
    if study is None:
        raise UserError(f"study {options.sweep}: is no search; `robustsweep best {options.sweep}` and `robustsweep report` are for grids")
    field = of_study(study, rows, worst)
    kept, notes = admitted(field.candidates, any_verdict=options.any_verdict)
    best = front(kept, field.goals)
    sections = sections_of(study, field, kept, best)
    bodies = list(section_bodies(sections))
    bodies = [*bodies[:1], ("trials", "Trials", trials_html(study, field)), *bodies[1:]]
    output = (options.output or Path(f"{slug(options.sweep)}-study.html")).expanduser()
    said = summary(study, best)
    write_atomically(output, page_html("study", study.name, summary=[*said, *notes], bodies=bodies).encode())
    images = [] if options.figures is None else write_images(sections, options.figures, form=options.image)
    return [output, *images], "\n".join([*said, *notes])


def summary(study: StudyRecord, best: Sequence[Candidate]) -> list[str]:
    """Summarize the number of trials and their outcomes."""
    states = Counter(trial.kind if trial.kind in _TOLD_BY_KIND else trial.state for trial in study.trials)
    counted = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in states.most_common())
    wanted = ", ".join(f"{goal} {objective}" for goal, objective in zip(study.goals, study.objectives, strict=True))
    first = "the best is" if len(study.objectives) == 1 else f"{len(best)} on the front:"
    named = ", ".join(f"trial {candidate.trial}" for candidate in best[:8]) + (" ..." if len(best) > 8 else "")  # noqa: PLR2004 (one line)
    found = f"; {first} {named}" if best else "; none is complete and admitted yet"
    return [f"{wanted}.", f"{len(study.trials)} trials: {counted}{found}."]
