import numpy as np
import pytest
import torch

from tests.workers.small import CPU
from workers.data.loading import Split
from workers.data.loading.array_cache import cached_rows
from workers.data.loading.device_split import DeviceSplit

BYTES = np.array([0, 51, 255], dtype=np.uint8).reshape(3, 1, 1, 1)
LABELS = np.array([0, 1, 2])


@pytest.mark.parametrize("inputs", [BYTES, (BYTES / 255).astype(np.float32)], ids=["uint8", "float32"])
@pytest.mark.parametrize("chosen", [slice(1, 3), torch.tensor([2, 0])], ids=["slice", "indices"])
def test_batches_are_floats_from_zero_to_one_whatever_is_stored(inputs, chosen):
    data = DeviceSplit.put(Split(inputs, LABELS), CPU)
    batch, labels = data.batch(chosen)
    assert batch.dtype == torch.float32
    assert torch.equal(batch.flatten(), torch.tensor([0, 0.2, 1])[chosen])
    assert torch.equal(labels, torch.tensor([0, 1, 2])[chosen])
    assert (len(data), data.device) == (3, CPU)


def test_int16_waveforms_become_what_soundfile_reads_as_floats():
    data = DeviceSplit.put(Split(np.array([-32_768, 16_384, 0], dtype=np.int16).reshape(3, 1, 1), LABELS), CPU)
    batch, _ = data.batch(slice(None))
    assert batch.flatten().tolist() == [-1, 0.5, 0]


@pytest.fixture
def mapped(tmp_path):
    values = np.random.default_rng(0).integers(256, size=(50, 1, 4, 4), dtype=np.uint8)
    return Split(cached_rows(tmp_path, "x", values.shape, iter(values), kind="|u1"), np.arange(50) % 5)


@pytest.mark.parametrize("count", [None, 20])
def test_a_streamed_split_gives_the_batches_of_one_in_memory(mapped, monkeypatch, count):
    whole = DeviceSplit.put(mapped, CPU, count=count)
    monkeypatch.setattr("workers.data.loading.device_split.STREAMED_BYTES", 10)
    monkeypatch.setattr("workers.data.loading.device_split._KEPT_BYTES", 100)
    streamed = DeviceSplit.put(mapped, CPU, count=count)
    assert (whole.stream, streamed.stream is None, len(streamed)) == (None, False, len(whole))
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))
    for one, other in zip(whole.batches(order, 8), streamed.batches(order, 8), strict=True):
        assert all(map(torch.equal, one, other))
    for chosen in (slice(3, 9), slice(None), torch.tensor([7, 0])):
        assert all(map(torch.equal, whole.batch(chosen), streamed.batch(chosen)))


def test_only_large_memory_mapped_inputs_are_streamed(mapped, monkeypatch):
    monkeypatch.setattr("workers.data.loading.device_split.STREAMED_BYTES", 400)
    assert DeviceSplit.put(mapped, CPU, count=25).stream is None
    assert DeviceSplit.put(mapped, CPU, count=26).stream is not None
    assert DeviceSplit.put(Split(np.array(mapped.inputs), mapped.labels), CPU).stream is None
