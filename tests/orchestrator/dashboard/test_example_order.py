import numpy as np

from orchestrator.dashboard.elements import extremes, waveform_figure
from orchestrator.dashboard.examples_page import ordered, right_shares
from orchestrator.report.examples.panels import Perturbed


def test_a_drawn_waveform_keeps_its_peaks() -> None:
    samples = np.zeros(16_000, dtype=np.float32)
    samples[[1234, 9999]] = 1, -1
    places = extremes(samples)
    assert len(places) <= 4000
    assert {1234, 9999} <= set(places.tolist())
    figure = waveform_figure(Perturbed(samples[None], samples[None] / 2))
    assert [max(trace.y) for trace in figure.data] == [1, 0.5, 0.5]


def test_examples_are_ordered_by_how_often_they_were_right() -> None:
    flags = {"a": np.array([[True, False, True], [True, False, False]]), "b": np.array([[True, True]])}
    shares = right_shares(flags)
    assert shares.tolist() == [1.0, 1 / 3, 0.5]
    assert ordered(shares, "hardest first").tolist() == [1, 2, 0]
    assert ordered(shares, "easiest first").tolist() == [0, 2, 1]
    assert ordered(shares, "in the order of evaluation").tolist() == [0, 1, 2]
