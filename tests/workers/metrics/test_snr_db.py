import numpy as np
import pytest
import torch

from tests.workers.small import generator
from workers.measure.evaluate import over_examples
from workers.metrics.snr_db import snr_db as metric
from workers.registry import METRICS

LABELS = torch.zeros(0, dtype=torch.int64)


def snr_db(examples, inputs):
    return metric(inputs, examples, LABELS)


def median_snr(ratios):
    return over_examples(METRICS["snr_db"].facts, ratios)


def test_the_ratio_is_that_of_the_lengths_of_waveform_and_perturbation():
    inputs = torch.tensor([[[3.0, 4.0]], [[0.3, 0.4]]])
    examples = inputs + torch.tensor([[[0.05, 0.0]], [[0.0, -0.5]]])
    assert snr_db(examples, inputs).tolist() == pytest.approx([40.0, 0.0], abs=1e-4)


@pytest.mark.parametrize("factor", [1.0, 10.0])
def test_ten_times_the_perturbation_is_twenty_decibels_less(factor):
    inputs, noise = torch.randn(4, 1, 100, generator=generator()), torch.randn(4, 1, 100, generator=generator(1))
    expected = 20 * np.log10(np.linalg.norm(inputs[:, 0], axis=1) / np.linalg.norm(noise[:, 0], axis=1)) - 20 * np.log10(factor)
    assert snr_db(inputs + factor * noise, inputs).numpy() == pytest.approx(expected, abs=1e-3)


def test_silence_and_unchanged_waveforms_have_no_ratio_and_no_part_in_the_median():
    inputs = torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 0.0]], [[1.0, 0.0]], [[1.0, 0.0]]])
    examples = inputs + torch.tensor([[[0.1, 0.0]], [[0.0, 0.0]], [[0.1, 0.0]], [[0.01, 0.0]], [[0.001, 0.0]]])
    ratios = snr_db(examples, inputs)
    assert ratios.isnan().tolist() == [True, True, False, False, False]
    assert median_snr(ratios) == pytest.approx(40.0, abs=1e-3)
    assert median_snr(ratios[1:4]) == pytest.approx(30.0, abs=1e-3)
    assert median_snr(ratios[:2]) is None
