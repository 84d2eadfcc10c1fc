"""Defences inside the network: quantised activations, pruning, dropout."""

import copy

import pytest
import torch
from torch import nn

from tests.workers.small import generator, network, split
from workers.defences.pruning import keep_probabilities
from workers.defences.quantization import deviation, quantised
from workers.errors import UserError
from workers.layers import TuckerLayer
from workers.models.network import build_defence
from workers.spec.component import DefenceSpec

UNIT = (0.0, 1.0)
ACTIVATIONS = torch.randn(4, 6, 5, 5, generator=generator()).relu() * 3
DRAWS = 4000


def pruning(samples=1.0, *, seed=0):
    defence = build_defence(DefenceSpec(name="stochastic_activation_pruning", pruning_samples=samples), bounds=UNIT)
    defence.generator = generator(seed)
    return defence


def dropout(rate=0.3, *, seed=0):
    defence = build_defence(DefenceSpec(name="defensive_dropout", dropout=rate), bounds=UNIT)
    defence.generator = generator(seed)
    return defence


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_quantised_activations_follow_the_formula(bits):
    levels = 2**bits - 1
    expected = torch.round(ACTIVATIONS.double().clamp(0, 6) * levels / 6) * 6 / levels
    found = quantised(ACTIVATIONS, bits=bits)
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)
    assert len(found.unique()) <= 2**bits
    assert found.max() == 6


def test_the_gradient_passes_rounding_and_stops_where_activations_are_clipped():
    leaf = torch.tensor([0.1, 2.9, 5.9, 6.1, 20.0], requires_grad=True)
    (found,) = torch.autograd.grad(quantised(leaf, bits=2).sum(), leaf)
    assert found.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (30, 2, 3, 3), (8, 8), (3, 5, 7)])
def test_the_lipschitz_term_is_that_of_the_larger_product_up_to_a_constant_without_gradient(shape):
    kernel = torch.randn(shape, generator=generator(), dtype=torch.float64).requires_grad_()
    matrix = kernel.flatten(1)
    for product in (matrix.t() @ matrix, matrix @ matrix.t()):
        full = (product - torch.eye(len(product), dtype=torch.float64)).square().sum()
        assert float((full - deviation(kernel)).detach()) == pytest.approx(len(product) - min(matrix.shape))
        (expected,) = torch.autograd.grad(full, kernel, retain_graph=True)
        (found,) = torch.autograd.grad(deviation(kernel), kernel)
        torch.testing.assert_close(found, expected)


def test_an_orthonormal_kernel_costs_nothing():
    kernel = nn.init.orthogonal_(torch.empty(6, 18), generator=generator()).view(6, 2, 3, 3)
    assert float(deviation(kernel)) == pytest.approx(0, abs=1e-9)


def quantized_net(beta=0.5, **model):
    return network(width=4, defence=DefenceSpec(name="defensive_quantization", lipschitz_beta=beta), **model)


def test_the_penalty_is_over_every_layer_tucker_layers_by_their_kernel():
    net = quantized_net()
    kernels = [module.kernel() for module in net.body.modules() if isinstance(module, TuckerLayer)]
    kernels += [net.body.stem.weight, net.body.classifier.weight]
    assert len(kernels) == 21
    assert float(net.penalty()) == pytest.approx(0.25 * sum(float(deviation(kernel)) for kernel in kernels))


def test_the_penalty_of_a_sketched_net_is_that_of_sketched_kernels():
    net = quantized_net(theta=0.5)
    sketched = float(net.penalty())
    with net.full_weights():
        full = float(net.penalty())
    assert sketched != full
    net.seed(0)
    again = float(net.penalty())
    net.seed(0)
    assert float(net.penalty()) == again


@pytest.mark.parametrize("how", [{"draws": "example"}, {"sketch_modes": "all"}, {"tensorized": False}])
def test_there_is_a_penalty_however_kernels_are_held_and_sketched(how):
    penalty = quantized_net(theta=1.0 if "tensorized" in how else 0.8, **how).penalty()
    assert penalty.isfinite()
    assert penalty > 0


def test_there_is_no_penalty_without_a_weight_for_it_nor_from_other_defences():
    assert quantized_net(beta=0.0).penalty() is None
    assert network().penalty() is None
    assert network(defence=DefenceSpec(name="defensive_dropout")).penalty() is None


def test_every_relu_of_a_quantised_net_gives_few_values():
    net, seen = quantized_net(), []
    for module in net.body.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda _, __, outputs: seen.append(len(outputs.unique())))
    net(split(6).inputs)
    assert len(seen) == 17
    assert max(seen) <= 16


@pytest.mark.parametrize("samples", [0.2, 1.0, 3.0])
def test_an_activation_is_kept_with_the_probability_of_being_drawn_at_least_once(samples):
    magnitudes = ACTIVATIONS.double().flatten(1)
    draws = round(samples * magnitudes.shape[1])
    shares = magnitudes / magnitudes.sum(dim=1, keepdim=True)
    expected = (1 - (1 - shares) ** draws).view_as(ACTIVATIONS)
    torch.testing.assert_close(keep_probabilities(ACTIVATIONS, samples=samples).double(), expected, rtol=1e-5, atol=1e-7)


def test_keep_probabilities_are_those_of_really_drawing_with_replacement():
    activations = ACTIVATIONS[:1]
    drawn = torch.multinomial(activations.flatten(1).expand(DRAWS, -1), 150, replacement=True, generator=generator())
    kept = torch.zeros(DRAWS, 150).scatter_(1, drawn, 1.0).mean(dim=0)
    expected = keep_probabilities(activations, samples=1.0).flatten()
    errors = (expected * (1 - expected) / DRAWS).sqrt()
    assert ((kept - expected).abs() <= 5 * errors + 1e-6).all()


def test_small_probabilities_are_not_lost_to_rounding():
    activations = torch.ones(1, 10_000)
    activations[0, 0] = 1e-6
    assert float(keep_probabilities(activations, samples=1.0)[0, 0]) == pytest.approx(1e-6, rel=1e-3)


def test_pruned_activations_are_unbiased_and_kept_as_often_as_they_should_be():
    probabilities = keep_probabilities(ACTIVATIONS[:1], samples=0.5).expand(DRAWS, -1, -1, -1)
    scales = pruning(0.5).scales(ACTIVATIONS[:1].expand(DRAWS, -1, -1, -1))
    kept = (scales > 0).double().mean(dim=0)
    expected = probabilities[0].double()
    assert ((kept - expected).abs() <= 5 * (expected * (1 - expected) / DRAWS).sqrt() + 1e-9).all()
    positive = expected > 0.01
    mean = scales.double().mean(dim=0)[positive]
    errors = ((1 / expected[positive] - 1) / DRAWS).sqrt()
    assert ((mean - 1).abs() <= 5 * errors + 1e-6).all()


@pytest.mark.parametrize("activations", [torch.zeros(2, 3, 2, 2), torch.eye(4).view(1, 1, 4, 4)[:, :, :1] * 7])
def test_maps_without_or_with_one_activation_stay_as_they_are(activations):
    assert torch.equal(pruning().activations(activations), activations)


def test_pruning_is_differentiated_as_the_identity():
    leaf = ACTIVATIONS.clone().requires_grad_()
    outputs = pruning().activations(leaf)
    assert not torch.equal(outputs, ACTIVATIONS)
    (found,) = torch.autograd.grad(outputs.sum(), leaf)
    assert torch.equal(found, torch.ones_like(found))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropped_features_are_unbiased(rate):
    features = torch.ones(DRAWS, 20)
    dropped = dropout(rate).features(features)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
    assert ((dropped.mean(dim=0) - 1).abs() <= 5 * (rate / (1 - rate) / DRAWS) ** 0.5).all()


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_live_in_training_and_in_eval_mode(training):
    net = network(defence=DefenceSpec(name="defensive_dropout")).train(training)
    seen = []
    net.body.classifier.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    net(split(8).inputs)
    zeros = (seen[0] == 0).float().mean()
    assert 0.1 < float(zeros) < 0.6


def test_a_tensorized_linear_layer_has_dropout_too():
    net = network(defence=DefenceSpec(name="defensive_dropout"), tensorize_linear=True)
    first, second = (net(split(8).inputs) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("make", [pruning, dropout])
def test_a_randomised_defence_without_a_generator_is_an_error(make):
    defence = make()
    defence.generator = None
    with pytest.raises(RuntimeError, match="needs a generator"):
        (defence.activations if make is pruning else defence.features)(ACTIVATIONS)


def test_an_activation_defence_on_a_net_without_relus_is_refused():
    with pytest.raises(UserError, match=r"defence defensive_quantization: acts on nn\.ReLU modules, and Linear has none"):
        build_defence(DefenceSpec(name="defensive_quantization"), bounds=UNIT).install(nn.Linear(2, 2))


@pytest.mark.parametrize("name", ["defensive_dropout", "stochastic_activation_pruning"])
def test_a_copy_of_a_network_draws_from_its_own_generator(name):
    net = network(defence=DefenceSpec(name=name))
    copied = copy.deepcopy(net)
    before = net.defence.generator.get_state()
    copied.seed(1)
    copied(split(4).inputs)
    assert torch.equal(net.defence.generator.get_state(), before)
