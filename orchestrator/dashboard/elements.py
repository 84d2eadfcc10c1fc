"""Elements of pages. Text from the store never goes where Streamlit reads Markdown: names are only text."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from orchestrator.dashboard.context import ground, opened
from orchestrator.dashboard.context import paths as places
from orchestrator.report.examples.panels import Perturbed
from orchestrator.report.examples.renderings import Array
from orchestrator.report.figures import CONFIG, TEMPLATES, Picture
from orchestrator.report.figures.picture import Record
from orchestrator.report.figures.theme import PALETTE, drawn, figure_of
from orchestrator.store.reading.dashboard_queries import SweepHead, sweep_heads
from orchestrator.tables.table import Value
from orchestrator.terminal import hints
from workers.data.loading.wav import SAMPLE_RATE

TILE = 164  # pixels: two next to each other on a phone
_TOOLS = 44  # pixels above a figure for its buttons, which are always there on a phone
Option = TypeVar("Option", bound=str)


def problem(heading: str, text: str) -> None:
    """Show an error: our own heading above text that may come from any source."""
    st.error(heading)
    st.code(text, language=None, wrap_lines=True)


def choose(name: str, options: Sequence[Option], *, label: str, show: Callable[[Option], str] = str) -> Option:
    """Show a list to choose from; the choice is kept on all pages, and in the address."""
    kept = f"kept {name}"
    wanted = st.session_state.get(kept) or st.query_params.get(name)
    index = next((place for place, option in enumerate(options) if option == wanted), 0)
    chosen = st.selectbox(label, options, index=index, format_func=show, key=f"choose {name}")
    if chosen is None:
        st.stop()
    st.session_state[kept] = chosen
    st.query_params[name] = chosen
    return chosen


def keep(name: str, value: str) -> None:
    """Set a choice for the page that is shown next."""
    st.session_state[f"kept {name}"] = value


def choose_sweep() -> SweepHead:
    """Choose the sweep that a page shows; at first the one that runs, or ran last."""
    with opened() as store:
        heads = {head.name: head for head in sweep_heads(store)}
    if not heads:
        st.info(f"The store holds no sweeps yet; `{hints.command('launch', 'SPACE', at=places())}` makes one.")
        st.stop()
    return heads[choose("sweep", list(heads), label="Sweep")]


def frame(rows: Sequence[Mapping[str, Value]]) -> pd.DataFrame:
    return pd.DataFrame.from_records([dict(row) for row in rows])


def show_picture(picture: Picture, *, key: str, place: str = "main") -> None:
    """Show the figure in the viewer's colours, its caption, and the table that it is drawn from."""
    draw(picture.figure, key=f"{place} {key}")
    st.caption(picture.caption)
    with st.expander(f"Data table, {len(picture.table)} rows"):
        show_table(picture.table)


def show_table(rows: list[Record]) -> None:
    st.dataframe(frame(rows), hide_index=True, placeholder="-")


def draw(figure: go.Figure, *, key: str) -> None:
    """Draw a figure without template in the viewer's colours."""
    coloured = go.Figure(figure).update_layout(template=TEMPLATES[ground()], margin={"t": _TOOLS})
    st.plotly_chart(coloured, theme=None, config=CONFIG, key=f"figure {key} {ground()}")


_MOST_POINTS = 4000


def waveform_figure(perturbed: Perturbed) -> go.Figure:
    """Draw the three over seconds; the difference has a scale of its own."""
    arrays = {"clean": perturbed.clean, "adversarial": perturbed.adversarial, "difference": perturbed.perturbation}
    traces = [_trace(name, array, number) for number, (name, array) in enumerate(arrays.items())]
    axes: dict[str, Any] = {
        f"yaxis{number + 1 if number else ''}": {"domain": [0.69 - 0.345 * number, 1 - 0.345 * number], "title": {"text": name}}
        for number, name in enumerate(("clean", "attacked", "difference"))
    }
    axes["yaxis2"]["matches"] = "y"
    return figure_of(drawn(traces, xaxis={"title": {"text": "seconds"}, "anchor": "y3"}, showlegend=False, height=460, **axes))


def _trace(name: str, array: Array, number: int) -> dict[str, Any]:
    samples = array.reshape(-1)
    places = extremes(samples)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": (places / SAMPLE_RATE).round(5).tolist(),
        "y": samples[places].round(6).tolist(),
        "yaxis": "y" if number == 0 else f"y{number + 1}",
        "line": {"color": PALETTE[number], "width": 1},
    }


def extremes(samples: Array) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the places of the least and the greatest sample of each of some two thousand spans: enough for a line that keeps all peaks."""
    span = -(-2 * len(samples) // _MOST_POINTS)
    starts = range(0, len(samples), span)
    found = {
        place for start in starts for part in [samples[start : start + span]] for place in (start + part.argmin(), start + part.argmax())
    }
    return np.array(sorted(found), dtype=np.intp)
