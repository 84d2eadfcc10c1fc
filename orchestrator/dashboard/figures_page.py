"""Page of the figures of a sweep, with their tables: the Pareto front first."""

from collections.abc import Callable, Sequence

import streamlit as st

from orchestrator.dashboard.cached_reads import choose_models, model_names, read_rows, read_runs
from orchestrator.dashboard.context import opened
from orchestrator.dashboard.elements import choose_sweep, show_picture
from orchestrator.report.figures import (
    Pictures,
    accuracy_curves,
    cost_plots,
    example_difficulty,
    heat_maps,
    minimum_norm_curves,
    pareto_fronts,
    shown_first,
    training_curves,
)
from orchestrator.report.figures.attack_conditions import best_models
from orchestrator.report.figures.curves import MOST_LINES
from orchestrator.report.figures.scatter import Cost
from orchestrator.store.reading.report_evidence import example_scores, job_costs
from orchestrator.store.reading.smallest_perturbations import smallest_perturbations

Draw = Callable[[str, Sequence[str] | None, Sequence[str]], Pictures]
"""Draws a figure of a sweep from the results of some models (None: all), with the chosen ones to the fore."""


def _costs(cost: Cost) -> Draw:
    def draw(sweep: str, models: Sequence[str] | None, chosen: Sequence[str]) -> Pictures:
        with opened() as store:
            costs = job_costs(store, sweep)
        return cost_plots(read_rows(sweep, models=models), costs, cost=cost, chosen=chosen)

    return draw


def _difficulty(sweep: str, *_: object) -> Pictures:
    with opened() as store:
        return example_difficulty(example_scores(store, sweep))


def _smallest(sweep: str, models: Sequence[str] | None, *_: object) -> Pictures:
    rows = read_rows(sweep, models=models)
    with opened() as store:
        return minimum_norm_curves(smallest_perturbations(store, rows))


def _training(sweep: str, models: Sequence[str] | None, chosen: Sequence[str]) -> Pictures:
    return training_curves(read_runs(sweep), chosen=chosen or best_models(read_rows(sweep, models=models)))


KINDS: dict[str, Draw] = {
    "Pareto front: clean against robust accuracy": lambda sweep, models, chosen: pareto_fronts(
        read_rows(sweep, models=models), chosen=chosen
    ),
    "Accuracy against epsilon": lambda sweep, models, chosen: accuracy_curves(read_rows(sweep, models=models), chosen=chosen),
    "Accuracy against epsilon from smallest perturbations": _smallest,
    "Robust accuracy over two axes": lambda sweep, models, _: heat_maps(read_rows(sweep, models=models)),
    "Training seconds against robust accuracy": _costs("training seconds"),
    "Attack seconds against robust accuracy": _costs("attack seconds"),
    "Parameters against robust accuracy": _costs("parameters"),
    "Training": _training,
    "How hard the examples are": _difficulty,
}


def page() -> None:
    """Show one figure at a time; of many models the best, and those that the viewer chooses, stand out."""
    sweep = choose_sweep().name
    kind = st.selectbox("Figure", list(KINDS), key="kind")
    models, names = choose_models(sweep), model_names(read_runs(sweep))
    chosen = (
        st.multiselect("Models that stand out", list(names), format_func=names.__getitem__, key=f"chosen of {sweep}")
        if len(names) > MOST_LINES
        else []
    )
    pictures = KINDS[kind](sweep, models, chosen)
    if not pictures:
        st.info("Nothing to draw yet: the sweep has no results that this figure shows.")
        return
    labels = list(pictures)
    first = shown_first(pictures)
    label = labels[0] if len(labels) == 1 else st.selectbox("Of", labels, index=labels.index(first), key=f"of {kind}")
    show_picture(pictures[label], key=f"{kind} {label}")
