"""Figure of a waveform, its adversarial version, and the difference, above each other."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from orchestrator.examples.example_pixels import Array
from orchestrator.examples.panels import Perturbed
from orchestrator.figures.theme import PALETTE, drawn, figure_of
from workers.data.loading.wav import SAMPLE_RATE

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
