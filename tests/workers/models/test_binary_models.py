from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.builders import attack_job, attack_settings, craft_job, evaluate_job
from tests.kept_files import kept
from tests.workers.runtime.chain import run_all, train_job
from tests.workers.small import generator, network, run_attack, split
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import FlagsOutcome
from workers.attacks.engine import input_gradient
from workers.errors import UserError
from workers.layers import BinaryConv, DenseKernel, LatentSketch, SignGradient, TuckerKernel, TuckerLayer
from workers.measure.evaluate import attacker, correct_flags
from workers.models.network import Network, Tensorization, tensorize
from workers.models.network.tensorize import binarize
from workers.runtime.run import RunSettings, run
from workers.spec.recipes import BINARY
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, train

NAMES = ["identity", "tanh", "tanh075"]
KINDS = [{"tensorized": False}, {"tensorized": True}, {"tensorized": True, "theta": 0.8}]
COARSE = attack_settings(name="pgd", epsilon=32 / 255, epsilon_literal="32/255", steps=2)


def of_kind(net, kind):
    return [name for name, module in net.body.named_modules() if isinstance(module, kind)]


@pytest.mark.parametrize(("tensorized", "kernel"), [(False, DenseKernel), (True, TuckerKernel)])
def test_every_convolution_but_the_first_is_binary_and_the_classifier_is_real(tensorized, kernel):
    net = network(binary=True, tensorized=tensorized)
    assert of_kind(net, nn.Conv2d) == ["stem"]
    assert len(of_kind(net, BinaryConv)) == len(of_kind(net, kernel)) == 19
    assert of_kind(net, nn.Linear) == ["classifier"]


def test_a_tensorized_first_convolution_stays_real_and_keeps_its_rank():
    net = network(binary=True, tensorize_first=True)
    assert of_kind(net, TuckerLayer) == ["stem"]
    assert net.ranks()["stem"] == network(tensorize_first=True).ranks()["stem"]
    assert len(net.ranks()) == 20


def test_batch_norm_comes_right_before_every_binary_convolution():
    net = network(binary=True)
    order = []
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | BinaryConv):
            module.register_forward_hook(lambda module, inputs, outputs: order.append((type(module), inputs[0], outputs)))
    net(split(2).inputs)
    for before, after in pairwise(order):
        if after[0] is BinaryConv:
            assert before[0] is nn.BatchNorm2d
            assert before[2] is after[1]


def test_a_relu_stands_between_the_convolutions_of_a_binary_block_and_none_after_the_second():
    block = network(binary=True).body.blocks[0]
    order = []
    for module in block.children():
        module.register_forward_hook(lambda module, *_: order.append(type(module)))
    outputs = block(torch.randn(2, 2, 8, 8, generator=generator()))
    # The shortcut comes last.
    assert order == [nn.BatchNorm2d, BinaryConv, nn.ReLU, nn.BatchNorm2d, BinaryConv, nn.Identity]
    assert (outputs < 0).any()


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        ({"groups": 2}, "a convolution with groups=2 cannot be made binary"),
        ({"padding_mode": "circular"}, "padding_mode='circular' cannot be made binary"),
    ],
)
def test_convolutions_that_cannot_be_binary_are_refused_by_name(refused, message):
    body = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Conv1d(4, 4, 3, padding=1, **refused))
    with pytest.raises(ValueError, match=f"^1: .*{message}$"):
        binarize(body, signs=SignGradient())


def test_a_one_dimensional_net_becomes_binary_with_its_geometry():
    body = nn.Sequential(nn.Conv1d(1, 4, 9, stride=2, padding=4), nn.BatchNorm1d(4), nn.Conv1d(4, 6, 5, stride=2, padding=2))
    inputs = torch.randn(2, 1, 64, generator=generator())
    shape = body(inputs).shape
    binarize(body, signs=SignGradient())
    body[2].kernel.initialise(generator())
    assert body(inputs).shape == shape
    assert body[2].bias is not None


@pytest.mark.parametrize("fields", KINDS)
def test_repeated_forward_passes_of_a_binary_net_differ_exactly_where_theta_is_below_one(fields):
    net = network(width=4, binary=True, **fields)
    inputs = split(4).inputs
    assert torch.equal(net(inputs), net(inputs)) == (fields.get("theta", 1) == 1)
    with net.full_weights():
        assert torch.equal(net(inputs), net(inputs))


@pytest.mark.parametrize("fields", KINDS)
def test_the_forward_pass_is_the_same_bit_for_bit_under_every_gradient(fields):
    net = network(width=4, binary=True, **fields)
    logits = []
    for name in NAMES:
        net.seed(1)
        with net.sign_gradient(name):
            logits.append(net(split(4).inputs))
    assert all(torch.equal(logits[0], other) for other in logits)


@pytest.mark.parametrize("fields", KINDS)
def test_each_gradient_leads_an_attack_elsewhere(fields):
    net = network(width=4, binary=True, **fields)
    inputs, labels = split(8).batch(slice(8))
    gradients, examples = [], []
    for name in NAMES:
        net.seed(1)
        with net.sign_gradient(name):
            gradients.append(input_gradient(net, inputs, labels))
        net.seed(1)
        settings = COARSE.model_copy(update={"sign_gradient": name})
        examples.append(attacker(net, settings, generator=generator())(slice(8), inputs, labels))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not torch.allclose(gradients[one], gradients[other])
        assert not torch.equal(examples[one], examples[other])
    assert net.signs.name == "identity"


def test_an_attack_that_is_not_told_otherwise_uses_the_identity():
    net = network(width=4, binary=True)
    inputs, labels = split(4).batch(slice(4))
    told = attacker(net, COARSE, generator=generator())(slice(4), inputs, labels)
    assert torch.equal(told, run_attack(net, inputs, labels, settings=COARSE, generator=generator()))


def test_another_gradient_for_a_net_that_is_not_binary_is_refused():
    net = network(width=4)
    perturb = attacker(net, COARSE.model_copy(update={"sign_gradient": "tanh"}), generator=generator())
    with pytest.raises(UserError, match=r"^sign_gradient 'tanh': the model is not binary, it must be identity$"):
        perturb(slice(2), *split(2).batch(slice(2)))


def trained(folder, *, form, **training) -> Network:
    net = network(width=8, binary=True, **form).train().requires_grad_()
    settings = TrainingSpec(epochs=5, batch_size=50, **training)
    checkpoint = Checkpoint(Artifacts(folder).folder("a" * 64, attempt="test"))
    train(net, split(600, part="train"), settings, order=generator(), checkpoint=checkpoint, report=[].append)
    return net.eval()


ADAM = BINARY["fast"]["image"]
DENSE, TENSORIZED = {"tensorized": False}, {"tensorized": True, "rank_fraction": 1.0}


@pytest.mark.parametrize(
    ("form", "training"),
    [
        pytest.param(DENSE, {}, marks=pytest.mark.slow),
        pytest.param(DENSE, ADAM, marks=pytest.mark.slow),
        pytest.param(TENSORIZED, ADAM, marks=pytest.mark.slow),
    ],
    ids=["dense", "dense-adam", "tensorized-adam"],
)
def test_a_binary_resnet_learns_the_digits_in_a_few_epochs(tmp_path, form, training):
    net = trained(tmp_path, form=form, **training)
    assert correct_flags(net, split(200), batch_size=100).mean() > 0.4


FULL = train_job(binary=True)
SKETCHED = train_job(theta=0.8, parent=FULL, binary=True)
TANH = COARSE.model_copy(update={"sign_gradient": "tanh"})
CRAFT = craft_job(SKETCHED, attack=TANH, examples=20)
MEASURED = [
    evaluate_job(SKETCHED, examples=20),
    attack_job(SKETCHED, attack=TANH, examples=20),
    attack_job(SKETCHED, attack=TANH, crafted=CRAFT, examples=20),
]


def test_every_stage_of_a_binary_tensorized_sketched_model_runs(tmp_path):
    done = run_all([FULL, SKETCHED, CRAFT, *MEASURED], tmp_path)
    assert done[FULL].outcome.ranks == done[SKETCHED].outcome.ranks
    assert all(isinstance(done[job].outcome, FlagsOutcome) for job in MEASURED)


def test_fine_tuning_starts_from_the_parents_weights_as_they_are(tmp_path):
    still = train_job(theta=0.8, parent=FULL, binary=True, training=TrainingSpec(epochs=1, batch_size=60, learning_rate=1e-30))
    run_all([FULL, still], tmp_path)
    before, after = (load_file(kept(tmp_path, job.key, "model.safetensors")) for job in (FULL, still))
    assert before.keys() == after.keys()
    parameters = [name for name in before if "running" not in name and "num_batches" not in name]
    assert any("kernel.core" in name for name in parameters)
    for name in parameters:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-20)


def test_the_gradient_while_attacking_does_not_change_what_is_trained_or_measured_clean(tmp_path):
    run(FULL, RunSettings(tmp_path))
    clean, attack = evaluate_job(FULL, examples=20), attack_job(FULL, attack=TANH, examples=20)
    before = run(clean, RunSettings(tmp_path)).outcome
    run(attack, RunSettings(tmp_path))
    again = evaluate_job(FULL, examples=20, batch_size=20)
    assert run(again, RunSettings(tmp_path)).outcome == before


def test_a_tensorized_classifier_of_a_binary_net_stays_real():
    body = nn.Sequential(nn.Conv1d(1, 4, 3), nn.Conv1d(4, 4, 3), nn.Flatten(), nn.Linear(16, 3))
    layers = tensorize(body, Tensorization(rank_fraction=0.5, first=True, linear=True), sketch=LatentSketch(theta=1.0))
    binarize(body, signs=SignGradient())
    assert [type(layer) for layer in body] == [TuckerLayer, BinaryConv, nn.Flatten, TuckerLayer]
    assert body[3] is layers["3"]
