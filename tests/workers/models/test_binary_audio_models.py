import pytest
import torch
from torch import nn

from tests.builders import attack_settings
from tests.workers.models.xnor import formula
from tests.workers.small import CPU, data_set, generator
from workers.artifacts.artifacts import Artifacts
from workers.attacks.engine import input_gradient
from workers.data.loading.device_split import DeviceSplit
from workers.layers import BinaryConv, DenseKernel, TuckerKernel
from workers.measure.evaluate import attacker, correct_flags
from workers.models.network import build
from workers.spec.model import ModelSpec
from workers.spec.recipes import BINARY
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, train

TONES = data_set("tones")
MODELS = ["soundnet5", "logmel"]
FORMS = [{"tensorized": False}, {"tensorized": True}, {"tensorized": True, "theta": 0.8}]
GRADIENTS = ["identity", "tanh", "tanh075"]
WAVES = 0.2 * torch.randn(3, 1, 16_000, generator=generator())
LABELS = torch.tensor([0, 1, 2])


def network(name, *, width=4, **fields):
    net = build(ModelSpec(name=name, width=width, binary=True, **fields), TONES.info, seed=0).eval().requires_grad_(False)
    net.seed(0)
    return net


def kinds(net):
    return [type(module) for module in net.body.features]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("tensorized", "kernel"), [(False, DenseKernel), (True, TuckerKernel)])
def test_every_convolution_but_the_first_is_binary_and_linear_layers_are_real(name, tensorized, kernel):
    body = network(name, tensorized=tensorized).body
    convolutions = [module for module in body.modules() if isinstance(module, nn.Conv1d | nn.Conv2d | BinaryConv)]
    assert [isinstance(module, BinaryConv) for module in convolutions] == [False, True, True, True, True]
    assert [type(module.kernel) for module in convolutions[1:]] == [kernel] * 4
    assert [type(module) for module in body.children()][-1] is nn.Linear


@pytest.mark.parametrize(("name", "real"), [("soundnet5", 382_188), ("logmel", 395_902)])
def test_a_binary_network_has_the_parameters_of_the_real_one_and_one_more_batch_norm(name, real):
    # Batch norms stand before the binary convolutions, 16 to 128 channels, and after the first and the last convolution.
    before = 2 * 16
    assert sum(p.numel() for p in network(name, width=16, tensorized=False).parameters()) == real + before


def test_stages_are_in_xnor_nets_order():
    real, binary = [nn.Conv1d, nn.BatchNorm1d, nn.ReLU, nn.MaxPool1d], [nn.BatchNorm1d, BinaryConv, nn.ReLU, nn.MaxPool1d]
    assert kinds(network("soundnet5")) == [*real, *binary * 4, nn.BatchNorm1d, nn.ReLU]
    real, binary = [nn.BatchNorm2d, nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d], [nn.BatchNorm2d, BinaryConv, nn.ReLU, nn.MaxPool2d]
    assert kinds(network("logmel")) == [*real, *(binary * 4)[:-1], nn.BatchNorm2d, nn.ReLU]


@pytest.mark.parametrize("name", MODELS)
def test_a_real_network_is_in_the_order_it_always_was(name):
    net = build(ModelSpec(name=name, width=2, tensorized=False), TONES.info, seed=0)
    assert {type(module) for module in net.body.modules()}.isdisjoint({BinaryConv})
    stage = [nn.Conv1d, nn.BatchNorm1d, nn.ReLU, nn.MaxPool1d]
    if name == "logmel":
        stage = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]
    assert kinds(net) == ([nn.BatchNorm2d, *(stage * 5)[:-1]] if name == "logmel" else stage * 5)


@pytest.mark.parametrize("tensorized", [False, True])
def test_a_stage_computes_the_formula_on_its_normalised_inputs_and_pools_the_result(tensorized):
    norm, convolution, relu, pool = network("soundnet5", tensorized=tensorized).double().body.features[8:12]
    norm.bias.copy_(torch.linspace(-1, 1, 8))
    inputs = torch.randn(2, 8, 40, generator=generator(), dtype=torch.float64)
    convolved = formula(norm(inputs), convolution.kernel(), {"stride": (2,), "padding": (8,)})
    expected = nn.functional.max_pool1d(convolved.relu(), 2)
    torch.testing.assert_close(pool(relu(convolution(norm(inputs)))), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_logits_are_finite_and_repeated_forward_passes_differ_exactly_where_theta_is_below_one(name, form):
    net = network(name, **form)
    logits = net(WAVES)
    assert logits.shape == (3, 12)
    assert logits.isfinite().all()
    assert torch.equal(logits, net(WAVES)) == (form.get("theta", 1) == 1)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_each_gradient_of_the_sign_reaches_the_waveform_and_leads_an_attack_elsewhere(name, form):
    net = network(name, **form)
    gradients, examples = [], []
    for gradient in GRADIENTS:
        net.seed(1)
        with net.sign_gradient(gradient):
            gradients.append(input_gradient(net, WAVES, LABELS))
        net.seed(1)
        settings = attack_settings(epsilon=0.032, epsilon_literal="0.032", sign_gradient=gradient)
        examples.append(attacker(net, settings, generator=generator())(slice(3), WAVES, LABELS))
    # Max-pooling and ReLU pass over part of a waveform.
    assert all((gradient != 0).float().mean() > 0.5 for gradient in gradients)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not torch.allclose(gradients[one], gradients[other])
        assert not torch.equal(examples[one], examples[other])


@pytest.mark.parametrize("tensorized", [False, True])
@pytest.mark.slow
def test_a_binary_soundnet5_learns_the_tones(tmp_path, tensorized):
    net = network("soundnet5", tensorized=tensorized, rank_fraction=1.0).train().requires_grad_()
    settings = TrainingSpec(epochs=4, batch_size=16, **BINARY["fast"]["audio"])
    data = TONES.load(None)
    checkpoint = Checkpoint(Artifacts(tmp_path).folder("a" * 64, attempt="test"))
    train(net, DeviceSplit.put(data.train.first(480), CPU), settings, order=generator(), checkpoint=checkpoint, report=[].append)
    assert correct_flags(net.eval(), DeviceSplit.put(data.test.first(120), CPU), batch_size=60).mean() > 0.4
