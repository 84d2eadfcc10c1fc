import numpy as np
import pytest
import torch

from tests.workers.small import CPU
from workers.data.loading import Split
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
