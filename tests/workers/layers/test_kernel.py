import pytest
import tensorly
import torch
import torchvision
from tensorly.decomposition import tucker
from torch import nn

from tests.workers.small import generator
from workers.layers import LatentSketch, TuckerLayer, hosvd
from workers.models.network import Tensorization, tensorize


def rebuilt(core, factors):
    return torch.from_numpy(tensorly.tucker_to_tensor((core.numpy(), [factor.numpy() for factor in factors])))


@pytest.mark.parametrize(
    ("shape", "rank"),
    [
        ((8, 6, 3, 3), (4, 3, 3, 3)),
        ((8, 6, 5), (3, 4, 2)),
        ((9, 4), (3, 3)),
        ((32, 16, 8), (8, 4, 2)),
        ((24, 20, 3, 3), (6, 5, 2, 2)),
    ],
)
def test_the_approximation_is_as_good_as_tensorlys_when_that_has_converged(shape, rank):
    kernel = torch.randn(shape, generator=generator(1), dtype=torch.float64)
    core, factors = hosvd(kernel, rank)
    theirs = tucker(kernel.numpy(), rank=rank, n_iter_max=1500, tol=1e-13, random_state=0)
    error = float((rebuilt(core, factors) - kernel).norm())
    assert error <= 1.0001 * float((torch.from_numpy(tensorly.tucker_to_tensor(theirs)) - kernel).norm())
    for factor, r in zip(factors, rank, strict=True):
        torch.testing.assert_close(factor.t() @ factor, torch.eye(r, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(8, 6, 3, 3), (3, 40), (40, 3, 1, 1)])
def test_the_full_rank_is_exact(shape):
    kernel = torch.randn(shape, generator=generator(1), dtype=torch.float64)
    torch.testing.assert_close(rebuilt(*hosvd(kernel, shape)), kernel)


NETS = {
    "resnet18": (torchvision.models.resnet18, 20, 0, {}),
    "vgg16": (torchvision.models.vgg16, 13, 0, {}),
    "mobilenet_v2": (torchvision.models.mobilenet_v2, 52, 17, {"grouped": "keep"}),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("execution", [pytest.param("reconstruct", marks=pytest.mark.slow), "factorized"])
def test_a_full_rank_decomposition_reproduces_the_dense_nets_logits(name, execution):
    make, n_convolutions, n_grouped, settings = NETS[name]
    torch.manual_seed(0)
    net = make(num_classes=10).eval()
    images = torch.randn(2, 3, 64, 64, generator=generator(2))
    with torch.no_grad():
        expected = net(images)
        whole = Tensorization(rank_fraction=1.0, first=True, execution=execution, init="decompose", **settings)
        layers = tensorize(net, whole, sketch=LatentSketch(theta=1.0))
        found = net(images)
    assert len(layers) == n_convolutions - n_grouped
    assert float((found - expected).norm() / expected.norm()) <= 1e-5


def test_depthwise_convolutions_are_refused_by_name_unless_they_may_stay_dense():
    net = torchvision.models.mobilenet_v2()
    with pytest.raises(ValueError, match=r"^features\.1\.conv\.0\.0: a depthwise convolution with groups=32 cannot be .* \(17 such"):
        tensorize(net, Tensorization(rank_fraction=0.5), sketch=LatentSketch(theta=1.0))


def test_linear_layers_are_tensorized_when_asked():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 10))
    images = torch.randn(2, 3, 4, 4, generator=generator(2))
    expected = net(images)
    layers = tensorize(
        net,
        Tensorization(rank_fraction=1.0, first=True, linear=True, init="decompose"),
        sketch=LatentSketch(theta=1.0),
        input_shape=(3, 4, 4),
    )
    assert set(layers) == {"0", "2"}
    assert all(isinstance(layer, TuckerLayer) for layer in layers.values())
    torch.testing.assert_close(net(images), expected, rtol=1e-5, atol=1e-6)
