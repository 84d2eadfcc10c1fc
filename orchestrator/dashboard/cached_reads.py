"""Results of a sweep as pages read them: cached until new ones come, and of some models only where all would be too many."""

from collections.abc import Sequence

import streamlit as st

from orchestrator.dashboard.context import opened
from orchestrator.naming import names
from orchestrator.store import ResultRow, result_rows, sweep_status
from orchestrator.store.reading.conditions import Condition
from orchestrator.store.reading.first_rows import MEASURING, MOST_MEASUREMENTS, MOST_MODELS
from orchestrator.store.reading.report_evidence import TrainingRun, training_runs

FORMS = {
    "a row for each model": {},
    "over training seeds": {"over_seeds": True},
    "worst case over attacks": {"worst": True},
    "a row for each repeat": {"per_repeat": True},
}


@st.cache_data(ttl=2, show_spinner=False)
def _count_done(sweep: str) -> tuple[int, int]:
    """Count the jobs of the sweep that are done, and those of them that measure a model; caches are read anew when there are more."""
    with opened() as store:
        (status,) = sweep_status(store, sweep)
    measured = sum(counts.done for stage, counts in status.stages.items() if stage in MEASURING)
    return status.totals["done"], measured


@st.cache_resource(max_entries=8, show_spinner="Reading the models")
def _runs(sweep: str, done: int) -> list[TrainingRun]:  # noqa: ARG001 (the cache's key)
    with opened() as store:
        return training_runs(store, sweep)


@st.cache_resource(max_entries=16, show_spinner="Reading the results")
def _rows(sweep: str, models: tuple[str, ...] | None, form: str, done: int) -> list[ResultRow]:  # noqa: ARG001
    with opened() as store:
        where = () if models is None else (Condition("model_key", "=", models),)
        return result_rows(store, sweep, **{"per_repeat": False, **FORMS[form]}, where=where)


def count_done(sweep: str) -> int:
    """Return the number of jobs that are done: what is cached is read anew when it changes."""
    return _count_done(sweep)[0]


def read_runs(sweep: str) -> list[TrainingRun]:
    """Return the training of every model of the sweep. Not to be changed: it is shared."""
    done, _ = _count_done(sweep)
    return _runs(sweep, done)


def model_names(runs: Sequence[TrainingRun]) -> dict[str, str]:
    """Return names of the models by their keys: the settings in which they differ."""
    return {key: name for (_, key), name in names.model_names(runs).items()}


def read_rows(sweep: str, *, form: str = "a row for each model", models: Sequence[str] | None = None) -> list[ResultRow]:
    """Return the results, of these models if any are named. Not to be changed: they are shared."""
    done, _ = _count_done(sweep)
    return _rows(sweep, None if models is None else tuple(sorted(models)), form, done)


def choose_models(sweep: str) -> Sequence[str] | None:
    """Return the models whose results a page reads: all (None), or, of a large sweep, those that the viewer chooses."""
    _, measured = _count_done(sweep)
    if measured <= MOST_MEASUREMENTS:
        return None
    names = model_names(read_runs(sweep))
    first = max(1, MOST_MEASUREMENTS * len(names) // measured)
    st.caption(f"This sweep has {measured:,} measurements of {len(names)} models: the results of those chosen here are read.")
    default = list(names)[: min(first, MOST_MODELS)]
    return st.multiselect(
        "Models", list(names), default=default, max_selections=MOST_MODELS, format_func=names.__getitem__, key=f"models of {sweep}"
    )
