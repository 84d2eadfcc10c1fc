"""Transposed convolutions in Tucker form are PyTorch's with the same kernel, and keep the variance of their inputs."""

import pytest
import torch
from torch import nn

from tests.workers.small import generator
from workers.layers import LatentSketch, TransposedTuckerLayer
from workers.models.network import Tensorization, tensorize

KINDS = {
    "2-d": (nn.ConvTranspose2d(5, 6, 3, stride=2, padding=1, output_padding=1), (9, 8)),
    "2-d, dilated, without bias": (nn.ConvTranspose2d(5, 6, (2, 3), stride=(1, 2), dilation=2, bias=False), (5, 4)),
    "1-d": (nn.ConvTranspose1d(5, 6, 4, stride=4), (7,)),
}


@pytest.mark.parametrize("execution", ["reconstruct", "factorized"])
@pytest.mark.parametrize("name", KINDS)
def test_at_the_full_rank_it_is_pytorchs(name, execution):
    dense, size = KINDS[name]
    net = nn.Sequential(nn.Conv2d(5, 5, 1) if len(size) == 2 else nn.Conv1d(5, 5, 1), dense)
    inputs = torch.randn(3, 5, *size, generator=generator())
    expected, sketch = net(inputs), LatentSketch(theta=0.5)
    settings = Tensorization(rank_fraction=1.0, transposed=True, init="decompose", execution=execution)
    layers = tensorize(net, settings, sketch=sketch, input_shape=inputs.shape[1:])
    assert isinstance(layers["1"], TransposedTuckerLayer)
    with sketch.full_weights():
        torch.testing.assert_close(net(inputs), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(layers["1"].weight, dense.weight, rtol=1e-4, atol=1e-5)
    sketch.generator = generator(1)
    drawn = torch.stack([net(inputs) for _ in range(400)])
    error = 4.5 * drawn.std(dim=0) / len(drawn) ** 0.5
    assert ((drawn.mean(dim=0) - expected).abs() <= error + 1e-5).double().mean() > 0.99


def test_a_fresh_one_keeps_the_mean_square_of_rectified_inputs():
    layer = TransposedTuckerLayer((64, 64, 4, 4), (64, 64, 4, 4), sketch=LatentSketch(theta=1.0), stride=(2, 2)).requires_grad_(False)
    layer.kernel.initialise(generator())
    inputs = torch.randn(8, 64, 16, 16, generator=generator(1)).relu()
    inside = layer(inputs)[..., 4:-4, 4:-4]
    assert float(inside.square().mean()) == pytest.approx(2 * float(inputs.square().mean()), rel=0.1)


def test_a_grouped_one_is_refused_or_stays_dense():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 4, 2, groups=2))
    settings = {"rank_fraction": 1.0, "transposed": True}
    with pytest.raises(ValueError, match="1: a convolution with groups=2 cannot be tensorized"):
        tensorize(net, Tensorization(**settings), sketch=LatentSketch(theta=1.0))
    assert tensorize(net, Tensorization(**settings, grouped="keep"), sketch=LatentSketch(theta=1.0)) == {}
