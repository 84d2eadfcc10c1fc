"""Page of the figures of a sweep, with their tables: the Pareto front first."""

from collections.abc import Callable, Sequence

import streamlit as st

from orchestrator.dashboard.cached_reads import choose_models, read_rows, read_runs
from orchestrator.dashboard.context import opened
from orchestrator.dashboard.elements import choose_sweep, show_picture
from orchestrator.figures import (
    Pictures,
    accuracy_curves,
    cost_plots,
    example_difficulty,
    heat_maps,
    pareto_fronts,
    training_curves,
)
from orchestrator.figures.scatter import Cost
from orchestrator.store.reading.report_evidence import example_scores, job_costs

Draw = Callable[[str, Sequence[str] | None], Pictures]
_TELLING = "robust accuracy %"


def _costs(cost: Cost) -> Draw:
    def draw(sweep: str, models: Sequence[str] | None) -> Pictures:
        with opened() as store:
            costs = job_costs(store, sweep)
        return cost_plots(read_rows(sweep, models=models), costs, cost=cost)

    return draw


def _difficulty(sweep: str, _models: Sequence[str] | None) -> Pictures:
    with opened() as store:
        return example_difficulty(example_scores(store, sweep))


KINDS: dict[str, Draw] = {
    "Pareto front: clean against robust accuracy": lambda sweep, models: pareto_fronts(read_rows(sweep, models=models)),
    "Accuracy against epsilon": lambda sweep, models: accuracy_curves(read_rows(sweep, models=models)),
    "Robust accuracy over two axes": lambda sweep, models: heat_maps(read_rows(sweep, models=models)),
    "Training seconds against robust accuracy": _costs("training seconds"),
    "Attack seconds against robust accuracy": _costs("attack seconds"),
    "Parameters against robust accuracy": _costs("parameters"),
    "Training": lambda sweep, _: training_curves(read_runs(sweep)),
    "How hard the examples are": _difficulty,
}


def page() -> None:
    """Show one figure at a time."""
    sweep = choose_sweep().name
    kind = st.selectbox("Figure", list(KINDS), key="kind")
    pictures = KINDS[kind](sweep, choose_models(sweep))
    if not pictures:
        st.info("Nothing to draw yet: the sweep has no results that this figure shows.")
        return
    labels = list(pictures)
    label = labels[0] if len(labels) == 1 else st.selectbox("Of", labels, index=_most_telling(pictures), key=f"of {kind}")
    show_picture(pictures[label], key=f"{kind} {label}")


def _most_telling(pictures: Pictures) -> int:
    """Return the place of the picture in which models differ most."""
    spreads = []
    for picture in pictures.values():
        shares = [float(row[_TELLING] or 0) for row in picture.table if _TELLING in row]
        spreads.append(max(shares) - min(shares) if shares else 0.0)
    return spreads.index(max(spreads))
