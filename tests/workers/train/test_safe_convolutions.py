"""Networks whose training would corrupt memory on a CPU are found, and trained without oneDNN there."""

import pytest
import torch
from torch import nn

from tests.workers.small import network
from workers.train.safe_convolutions import is_corrupting, safe_convolutions

CPU = torch.device("cpu")
NARROW = nn.Conv2d(4, 8, 1, stride=2)


@pytest.fixture
def avx2(monkeypatch):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (NARROW, True),
        (nn.Conv2d(8, 8, 1, stride=2), False),
        (nn.Conv2d(4, 8, 1), False),
        (nn.Conv2d(3, 8, 3, stride=2), False),
        (nn.Conv1d(4, 8, 1, stride=2), False),
        (nn.Linear(4, 8), False),
    ],
    ids=str,
)
def test_strided_1x1_convolutions_of_few_channels_are_found(avx2, net, expected):
    assert is_corrupting(nn.Sequential(net)) is expected


@pytest.mark.parametrize("fields", [{"tensorized": False}, {}, {"binary": True}, {"binary": True, "tensorized": False}], ids=str)
def test_they_are_found_in_every_form_of_a_network(avx2, fields):
    assert is_corrupting(network(width=4, **fields))
    assert not is_corrupting(network(width=8, **fields))


def test_onednn_is_left_out_there_alone_and_for_that_time_alone(avx2):
    with safe_convolutions(NARROW, CPU):
        assert not torch.backends.mkldnn.enabled
    assert torch.backends.mkldnn.enabled
    with safe_convolutions(network(width=8), CPU):
        assert torch.backends.mkldnn.enabled


def test_with_wider_vectors_more_channels_are_few(monkeypatch):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    assert [is_corrupting(nn.Conv2d(channels, 8, 1, stride=2)) for channels in (4, 8, 15, 16)] == [True, True, True, False]
    assert is_corrupting(network(width=8))
    assert not is_corrupting(network(width=16))


def test_other_cpus_keep_it(monkeypatch):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "DEFAULT")
    with safe_convolutions(NARROW, CPU):
        assert torch.backends.mkldnn.enabled
