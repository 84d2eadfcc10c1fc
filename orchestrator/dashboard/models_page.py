"""Page of one model: its settings, its verdict, its results under attack, its training."""

from collections.abc import Sequence

import streamlit as st

from orchestrator.dashboard.cached_reads import model_names, read_rows, read_runs
from orchestrator.dashboard.context import go_to, opened
from orchestrator.dashboard.elements import choose, choose_sweep, frame, show_picture, show_table
from orchestrator.dashboard.results_page import PERCENT, results_frame
from orchestrator.naming.varying_axes import in_words
from orchestrator.report.figures import accuracy_curves, training_curves
from orchestrator.report.figures.picture import Record
from orchestrator.store import ResultRow, model_verdicts
from orchestrator.store.reading.dashboard_queries import places_of
from orchestrator.store.reading.report_evidence import TrainingRun
from orchestrator.tables.result_columns import shown_columns


def choose_model(sweep: str) -> TrainingRun:
    """Choose one trained model of the sweep."""
    runs = {run.model_key: run for run in read_runs(sweep)}
    if not runs:
        st.info("No model of this sweep is trained yet.")
        st.stop()
    names = model_names(list(runs.values()))
    return runs[choose("model", list(runs), label="Model", show=names.__getitem__)]


def page() -> None:
    """Show a model: its settings, verdict, results and training."""
    sweep = choose_sweep().name
    run = choose_model(sweep)
    rows = read_rows(sweep, models=[run.model_key])
    st.code(run.model_key, language=None)
    st.dataframe(frame(facts(run, rows)), hide_index=True, height="content")
    _verdict(sweep, run.model_key)
    st.subheader("Results")
    if rows:
        st.dataframe(results_frame(rows, shown_columns(rows)), hide_index=True, column_config=PERCENT, placeholder="-")
        if st.button("Look at single examples"):
            go_to("Examples")
        _curves(rows)
    else:
        st.info("No evaluation or attack of this model is done yet.")
    st.subheader("Training")
    pictures = training_curves([run])
    if not pictures:
        st.caption("It was not trained itself: only a defence was put around another model.")
    for label, picture in pictures.items():
        show_picture(picture, key=label)


def _curves(rows: Sequence[ResultRow]) -> None:
    pictures = accuracy_curves(rows)
    if pictures:
        label = st.selectbox("Accuracy against epsilon", list(pictures), key="curve")
        show_picture(pictures[label], key=label)


def facts(run: TrainingRun, rows: Sequence[ResultRow]) -> list[Record]:
    """Return the settings and sizes of the model, one a row."""
    found: Record = {"trained in stage": run.stage, **{name: in_words(value) for name, value in run.settings.items()}}
    found |= {"epochs trained": str(len(run.history)), "training seconds": f"{run.seconds:.1f}"}
    found |= {"parameters": f"{rows[0].n_parameters:,}"} if rows else {}
    with opened() as store:
        places = places_of(store, [run.model_key])
    if place := places.get(run.model_key):
        found["trained on"] = f"{place.host}, {place.device}"
    return [{"what": name, "value": value} for name, value in found.items()]


def _verdict(sweep: str, key: str) -> None:
    with opened() as store:
        found = next((verdict for verdict in model_verdicts(store, sweep) if verdict.model_key == key), None)
    st.subheader("Verdict")
    if found is None:
        st.caption("No verdict on this model yet.")
        return
    st.text(f"This model is {found.verdict}.")
    show_table([{"check": check.name, "outcome": check.outcome, "what was found": check.reason} for check in found.checks])
