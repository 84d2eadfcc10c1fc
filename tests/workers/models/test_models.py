import pytest
import torch
from torch import nn

from tests.workers.small import DIGITS, data_set, generator, network, same_state, split
from workers.layers import LatentSketch, TuckerKernel, TuckerLayer, resolve_rank
from workers.models.network import build
from workers.models.network.tensorize import Tensorization, tensorize
from workers.registry import MODELS
from workers.spec.model import ModelSpec


def of_kind(net, kind):
    return [name for name, module in net.body.named_modules() if isinstance(module, kind)]


def with_dense_kernels(net):
    """The dense net with the kernels that a Tucker net's cores and factors make."""
    dense = network(width=4, tensorized=False)
    state = dict(net.state_dict())
    for name in of_kind(net, TuckerKernel):
        state = {field: value for field, value in state.items() if not field.startswith(f"body.{name}.")}
        state[f"body.{name.removesuffix('.kernel')}.weight"] = net.body.get_submodule(name)()
    dense.load_state_dict(state)
    return dense


def test_resnet18_has_the_published_number_of_parameters():
    with torch.device("meta"):
        body = MODELS["resnet18"].create(data_set("cifar10").info, width=64)
    assert sum(parameter.numel() for parameter in body.parameters()) == 11_173_962


@pytest.mark.parametrize(("first", "left"), [(False, ["stem"]), (True, [])])
def test_every_convolution_is_tensorized_but_optionally_the_first(first, left):
    net = network(tensorize_first=first)
    assert of_kind(net, nn.Conv2d) == left
    assert len(of_kind(net, TuckerLayer)) == 20 - len(left)
    assert len(of_kind(network(tensorized=False), nn.Conv2d)) == 20


def test_a_tensorized_net_computes_what_the_dense_net_with_its_kernels_computes():
    net = network(width=4, rank_fraction=0.6)
    images, _ = split(6).batch(slice(6))
    torch.testing.assert_close(with_dense_kernels(net).double()(images.double()), net.double()(images.double()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["channels", "dimensions", "parameters"])
def test_ranks_name_every_tucker_layer_with_its_resolved_rank(kind):
    net = network(rank_kind=kind, width=4)
    dense = dict(network(tensorized=False, width=4).body.named_modules())
    assert list(net.ranks()) == of_kind(net, TuckerLayer)
    assert net.ranks() == {name: list(resolve_rank(dense[name].weight.shape, 0.5, kind=kind)) for name in net.ranks()}


def test_a_grouped_convolution_is_refused_by_name():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)))
    with pytest.raises(
        ValueError, match=r"^1\.0: a convolution with groups=2 cannot be tensorized \(1 such layers; grouped='keep' leaves them dense\)"
    ):
        tensorize(body, Tensorization(rank_fraction=0.5, first=True), sketch=LatentSketch(theta=1.0))


def test_tensorize_keeps_the_geometry_of_every_convolution():
    body = nn.Sequential(
        nn.Conv2d(3, 4, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(2, 1)), nn.Conv2d(4, 6, 3, padding="same", bias=False)
    )
    images = torch.rand(2, 3, 16, 16, generator=generator())
    shape = body(images).shape
    tensorize(body, Tensorization(rank_fraction=0.5, first=True), sketch=LatentSketch(theta=1.0))
    for layer in body:
        layer.kernel.initialise(generator())
    assert body(images).shape == shape
    assert [layer.bias is not None for layer in body] == [True, False]


@pytest.mark.parametrize("theta", [1.0, 0.8])
@pytest.mark.parametrize("size", [1, 5])
def test_logits_have_one_row_per_image_and_one_column_per_class(theta, size):
    images, _ = split(size).batch(slice(size))
    logits = network(theta=theta)(images)
    assert logits.shape == (size, 10)
    assert logits.isfinite().all()


def test_images_are_normalised_inside_the_network():
    net = build(ModelSpec(width=2), data_set("cifar10").info, seed=0).eval()
    images = torch.rand(2, 3, 32, 32, generator=generator())
    planes = [(images[:, k] - mean) / std for k, (mean, std) in enumerate([(0.4914, 0.2470), (0.4822, 0.2435), (0.4465, 0.2616)])]
    torch.testing.assert_close(net(images), net.body(torch.stack(planes, dim=1)))


@pytest.mark.parametrize("tensorized", [True, False])
def test_initial_weights_depend_on_the_seed_alone(tensorized):
    spec = ModelSpec(width=2, tensorized=tensorized)
    torch.manual_seed(1)
    one = build(spec, DIGITS.info, seed=7)
    torch.manual_seed(2)
    again, other = build(spec, DIGITS.info, seed=7), build(spec, DIGITS.info, seed=8)
    assert same_state(one, again)
    assert not same_state(one, other)


def test_theta_is_no_part_of_the_initial_weights():
    assert same_state(network(theta=1.0), network(theta=0.5))


def test_the_sketch_is_shared_by_all_tucker_layers():
    net = network(theta=0.5)
    assert all(net.body.get_submodule(name).sketch is net.sketch for name in of_kind(net, TuckerKernel))
