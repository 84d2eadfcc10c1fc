"""A network as a program of PyTorch's own: for a batch of any size, and without the folders of the machine that wrote it."""

from io import BytesIO

import torch
from torch import nn
from torch.export import save

from orchestrator.api.networks import tensorize
from workers.runtime.model_program import _draws, _exported


def test_a_tensorized_network_is_exported_for_a_batch_of_any_size() -> None:
    body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Conv2d(3, 2, 3, padding=1), nn.Flatten(), nn.Linear(2 * 4 * 4, 3))
    network = tensorize(body, rank=0.7).eval().requires_grad_(False)
    assert _draws(network) == ""
    program, content = _exported(network, torch.zeros(2, 1, 6, 6), "abcd1234"), BytesIO()
    save(program, content)
    inputs = torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(program.module()(inputs), network(inputs))
    assert __file__.partition("tests")[0].encode() not in content.getvalue()


def test_a_network_that_draws_says_why_it_is_no_program() -> None:
    network = tensorize(nn.Sequential(nn.Conv2d(1, 3, 3), nn.Conv2d(3, 2, 3)), theta=0.5)
    assert _draws(network) == "theta 0.5 draws a sketch at every pass"
