import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tests.workers.small import CPU, data_set
from workers.data.loading.device_split import DeviceSplit
from workers.data.tones import FREQUENCIES
from workers.models.network import build
from workers.spec.model import ModelSpec

TONES = data_set("tones")
DATA = TONES.load(None)


@pytest.mark.parametrize("part", ["train", "test"])
def test_splits_are_balanced_int16_waveforms_of_the_announced_sizes(part):
    split, size = getattr(DATA, part), dict(zip(("train", "test"), TONES.sizes(None), strict=True))[part]
    assert split.inputs.shape == (size, *TONES.info.shape) == (size, 1, 16_000)
    assert split.inputs.dtype == np.int16
    assert np.bincount(split.labels).tolist() == [size // 12] * 12


def test_tones_are_the_same_every_time_and_no_two_are_equal():
    again = TONES.component.create.__wrapped__(None)
    assert np.array_equal(again.train.inputs, DATA.train.inputs)
    assert np.array_equal(again.test.inputs, DATA.test.inputs)
    every = np.concatenate([DATA.train.inputs, DATA.test.inputs])
    assert len({row.tobytes() for row in every}) == len(every)


def test_batches_are_within_the_announced_bounds_with_the_announced_deviation():
    batch, _ = DeviceSplit.put(DATA.train, CPU).batch(slice(None))
    assert TONES.info.low <= float(batch.min()) < 0 < float(batch.max()) <= TONES.info.high
    assert float(batch.mean()) == pytest.approx(TONES.info.mean[0], abs=5e-3)
    assert float(batch.std()) == pytest.approx(TONES.info.std[0], abs=5e-3)


def test_the_loudest_frequency_of_an_example_is_its_classs():
    spectra = np.abs(np.fft.rfft(DATA.test.inputs[:, 0].astype(float)))
    loudest = spectra.argmax(axis=1)[:, None]  # bins are 1 Hz wide
    assert np.abs(loudest - FREQUENCIES).argmin(axis=1).tolist() == DATA.test.labels.tolist()


def test_a_small_net_learns_the_tones_in_a_few_steps():
    net = build(ModelSpec(name="logmel", width=4, tensorized=False), TONES.info, seed=0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    train, test = (DeviceSplit.put(split, CPU) for split in (DATA.train.first(480), DATA.test))
    for start in range(0, 960, 48):
        inputs, labels = train.batch(slice(start % 480, start % 480 + 48))
        optimizer.zero_grad()
        F.cross_entropy(net(inputs), labels).backward()
        optimizer.step()
    inputs, labels = test.batch(slice(None))
    with torch.no_grad():
        accuracy = float((net.eval()(inputs).argmax(dim=1) == labels).float().mean())
    assert accuracy > 0.5
