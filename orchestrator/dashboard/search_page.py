"""Page of a search, or of a grid seen as one: the best, what mattered, the history, and every trial or model."""

from collections.abc import Sequence

import streamlit as st

from orchestrator.dashboard.cached_reads import count_done
from orchestrator.dashboard.context import paths
from orchestrator.dashboard.elements import choose_sweep, show_picture, show_table
from orchestrator.report.figures.picture import Record
from orchestrator.report.study.candidates import Candidate, Field, front
from orchestrator.report.study.choose_best import BestOptions, admitted, read_field
from orchestrator.report.study.effect_pictures import importances_of
from orchestrator.report.study.objective_pictures import standings
from orchestrator.report.study.read_study import StudyRecord
from orchestrator.report.study.study_sections import models_table, sections_of, trials_table
from orchestrator.report.study.write_study import summary, summary_of_grid
from orchestrator.report.sweep_page.sections import PageSection
from orchestrator.terminal import hints

_WEIGHED = "Parameter importance"


def page() -> None:
    """Show one kind of picture at a time; parameter importance, which takes seconds, only where it is chosen."""
    sweep = choose_sweep().name
    field, study, left_out = _read(sweep, count_done(sweep))
    if not field.candidates:
        st.info("No trial of this search is complete yet." if study else "No model of this sweep is measured yet.")
        return
    admitted_by = f"`{hints.command('study', sweep, at=paths(), more=['--any-verdict'])}`"
    kept, notes = admitted(field.candidates, any_verdict=False, admitted_by=admitted_by)
    best = front(kept, field.goals)
    for line in [*(summary(study, best) if study else summary_of_grid(field, best)), *left_out, *notes]:
        st.text(line)
    sections = _sections(field, kept, best, is_search=study is not None)
    chosen = st.segmented_control("Show", list(sections), default=next(iter(sections)), key="study") or next(iter(sections))
    _show(sections[chosen] if chosen != _WEIGHED else _weighed(field, kept, best, is_search=study is not None))
    st.subheader("Models" if study is None else "Trials")
    show_table(_table(field, study, kept, best))


@st.cache_resource(max_entries=4, show_spinner="Reading the models")
def _read(sweep: str, done: int) -> tuple[Field, StudyRecord | None, list[str]]:  # noqa: ARG001 (the cache's key)
    return read_field(BestOptions(paths=paths(), sweep=sweep), choose=True)


def _sections(field: Field, kept: Sequence[Candidate], best: Sequence[Candidate], *, is_search: bool) -> dict[str, PageSection]:
    without = [f"{_WEIGHED} is not computed" for _ in field.objectives]
    return {section.title: section for section in sections_of(field, kept, best, without, is_search=is_search)}


def _weighed(field: Field, kept: Sequence[Candidate], best: Sequence[Candidate], *, is_search: bool) -> PageSection:
    with st.spinner("Weighing the parameters"):
        found = sections_of(field, kept, best, importances_of(field), is_search=is_search)
    return next(section for section in found if section.title == _WEIGHED)


def _show(section: PageSection) -> None:
    for note in section.notes:
        st.text(note)
    if not section.choices:
        st.info(section.fill)
        return
    labels = list(section.choices)
    label = labels[0] if len(labels) == 1 else st.selectbox("Of", labels, key=f"of {section.name}")
    for place, picture in enumerate(section.choices[label]):
        st.text(picture.title)
        show_picture(picture, key=f"{section.name} {label} {place}")


def _table(field: Field, study: StudyRecord | None, kept: Sequence[Candidate], best: Sequence[Candidate]) -> list[Record]:
    return models_table(field, standings(field, kept, best)) if study is None else trials_table(study, field)
