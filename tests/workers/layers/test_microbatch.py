"""A pass made in parts, for want of memory, is the same pass: the same draws, and the same gradients up to rounding."""

import pytest
import torch
from torch import nn

from tests.builders import attack_settings
from tests.workers.layers.test_frozen import NETS
from tests.workers.small import DIGITS, generator, network, split
from workers.attacks.engine import input_gradient
from workers.layers import LatentSketch
from workers.measure.evaluate import attacker, correct_flags
from workers.models.network import Network, Tensorization, tensorize
from workers.spec.component import DefenceSpec

INPUTS, LABELS = split(12).batch(slice(12))
RANDOM_NETS = pytest.mark.parametrize("settings", NETS.values(), ids=NETS)


def made(settings, *, at_once=None):
    net = network(width=4, **settings).double()  # in float32 rounding turns signs of a binary net
    net.examples_at_once = at_once
    return net


def counted(net):
    """The sizes of the batches that the layers see, as they come."""
    sizes = []
    net.body.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    return sizes


@RANDOM_NETS
@pytest.mark.parametrize("at_once", [1, 5, 12])
def test_passes_in_parts_draw_what_whole_ones_draw_and_leave_the_generator_where_they_do(settings, at_once):
    whole, divided = made(settings), made(settings, at_once=at_once)
    for _ in range(3):
        torch.testing.assert_close(divided(INPUTS.double()), whole(INPUTS.double()), rtol=1e-9, atol=1e-9)
    if whole.sketch.generator is not None:
        assert torch.equal(divided.sketch.generator.get_state(), whole.sketch.generator.get_state())


@RANDOM_NETS
def test_gradients_in_parts_are_those_of_the_whole_pass(settings):
    whole, divided = made(settings), made(settings, at_once=5)
    for _ in range(2):  # the second one: nothing of the first is drawn again by its backward pass
        expected = input_gradient(whole, INPUTS.double(), LABELS)
        torch.testing.assert_close(input_gradient(divided, INPUTS.double(), LABELS), expected, rtol=1e-9, atol=1e-9)


def test_no_more_examples_than_asked_for_go_through_the_layers_together_forwards_or_backwards():
    net = made({"theta": 0.7}, at_once=5)
    sizes = counted(net)
    input_gradient(net, INPUTS.double(), LABELS)
    assert sizes == [5, 5, 2, 2, 5, 5]


class Twice(nn.Module):
    """A layer and a ReLU that a pass uses twice."""

    def __init__(self):
        super().__init__()
        self.layer, self.relu = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()

    def forward(self, inputs):
        return self.relu(self.layer(self.relu(self.layer(inputs)))).flatten(1)[:, :10]


@pytest.mark.parametrize("draws", ["batch", "example"])
def test_a_layer_that_a_pass_uses_twice_draws_twice_in_parts_too(draws):
    nets = []
    for at_once in (None, 5):
        torch.manual_seed(0)
        body, sketch = nn.Sequential(Twice()), LatentSketch(theta=0.6, draws=draws)
        tensorize(body, Tensorization(rank_fraction=1.0, first=True, init="decompose"), sketch=sketch)
        pruned = DefenceSpec(name="stochastic_activation_pruning")
        nets.append(Network(body, sketch=sketch, info=DIGITS.info, defence=pruned).double().eval().requires_grad_(False))
        nets[-1].examples_at_once = at_once
        nets[-1].seed(0)
    whole, divided = (input_gradient(net, INPUTS.double(), LABELS) for net in nets)
    torch.testing.assert_close(divided, whole, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(*(net(INPUTS.double()) for net in nets), rtol=1e-9, atol=1e-9)


def test_in_training_a_batch_is_never_divided():
    net = made({}, at_once=5).train()
    sizes = counted(net)
    net(INPUTS.double())
    assert sizes == [12]


def test_a_part_inside_frozen_sees_the_one_draw_that_is_held():
    net = made({"theta": 0.7, "draws": "example"}, at_once=5)
    with net.frozen():
        held = net(INPUTS.double())
        net.examples_at_once = None
        torch.testing.assert_close(net(INPUTS.double()), held, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["pgd", "apgd_ce", "square"])
@pytest.mark.parametrize("theta", [pytest.param(1.0, marks=pytest.mark.slow), 0.7])
def test_attacked_examples_come_out_as_they_do_undivided(name, theta):
    random = {} if theta == 1 else {"eot_samples": 3 if name != "square" else 1, "selection_draws": 1 if name == "pgd" else 2}
    settings = attack_settings(name=name, steps=4, **random)

    def flags(at_once):
        net, data = network(width=4, theta=theta, draws="example"), split(24)
        net.examples_at_once = at_once
        return correct_flags(net, data, batch_size=12, draws=2, perturb=attacker(net, settings, generator=generator()))

    assert (flags(None) == flags(5)).all()
