"""A network whose draw is held is one function of its inputs."""

import copy

import pytest
import torch

from tests.workers.small import network, split
from workers.registry import DEFENCES
from workers.spec.component import DefenceSpec

INPUTS = split(12).batch(slice(12))[0]
NETS = {
    "a draw per batch": {"theta": 0.7},
    "a draw per example": {"theta": 0.7, "draws": "example"},
    "all modes, redrawn": {"theta": 0.7, "sketch_modes": "all", "all_zero": "redraw"},
    "a binary net": {"theta": 0.7, "binary": True},
    **{name: {"defence": DefenceSpec(name=name)} for name in (found.name for found in DEFENCES if found.facts.randomised)},
    "sketch and defence": {"theta": 0.8, "draws": "example", "defence": DefenceSpec(name="stochastic_activation_pruning")},
}
RANDOM_NETS = pytest.mark.parametrize("settings", NETS.values(), ids=NETS)


def made(settings):
    return network(width=4, **settings)


@RANDOM_NETS
def test_repeated_forward_passes_are_bit_equal_inside_and_differ_outside(settings):
    net = made(settings)
    with net.frozen():
        held = net(INPUTS)
        assert torch.equal(net(INPUTS), held)
    assert any(not torch.equal(net(INPUTS), held) for _ in range(8))
    with net.frozen():
        assert not torch.equal(net(INPUTS), held)


@RANDOM_NETS
@pytest.mark.parametrize("first", [1, 12])
def test_an_example_has_the_same_logits_alone_as_in_any_batch(settings, first):
    net, inputs = made(settings).double(), INPUTS.double()  # in float32 rounding turns signs of a binary net
    with net.frozen():
        net(inputs[:first])
        together = net(inputs)
        alone = torch.cat([net(example[None]) for example in inputs])
        parts = torch.cat([net(part) for part in inputs.split(5)])
    torch.testing.assert_close(alone, together, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(parts, together, rtol=1e-6, atol=1e-6)


@RANDOM_NETS
def test_the_draw_depends_on_the_seed_and_not_on_the_first_batch(settings):
    net = made(settings)

    def logits(seed, first):
        net.seed(seed)
        with net.frozen():
            net(INPUTS[:first])
            return net(INPUTS)

    assert torch.equal(logits(1, 1), logits(1, 7))
    assert not torch.equal(logits(1, 1), logits(2, 1))


def test_equal_examples_of_a_batch_get_equal_logits_though_draws_are_per_example():
    net = made(NETS["sketch and defence"])
    twice = INPUTS[:1].repeat(6, 1, 1, 1)
    assert len(net(twice).unique(dim=0)) > 1
    with net.frozen():
        torch.testing.assert_close(net(twice), net(twice[:1]).expand(6, -1), rtol=1e-5, atol=1e-5)


@RANDOM_NETS
def test_full_weights_inside_a_frozen_net_are_the_full_weights(settings):
    net = made(settings)
    with net.full_weights():
        full = net(INPUTS)
    with net.frozen():
        held = net(INPUTS)
        with net.full_weights():
            assert torch.equal(net(INPUTS), full)
        assert torch.equal(net(INPUTS), held)
    assert not torch.equal(held, full)


def test_an_inner_context_has_a_draw_of_its_own_and_gives_the_outer_ones_back():
    net = made(NETS["a draw per batch"])
    with net.frozen():
        outer = net(INPUTS)
        with net.frozen():
            assert not torch.equal(net(INPUTS), outer)
        assert torch.equal(net(INPUTS), outer)


def test_a_net_is_random_again_after_an_exception_inside():
    net = made(NETS["sketch and defence"])
    with pytest.raises(KeyboardInterrupt), net.frozen():
        raise KeyboardInterrupt(net(INPUTS))
    assert not torch.equal(net(INPUTS), net(INPUTS))


def test_a_deterministic_net_is_the_same_inside_and_draws_nothing():
    net = network(width=4)
    expected, before = net(INPUTS), copy.copy(net.sketch.generator.get_state())
    with net.frozen():
        assert torch.equal(net(INPUTS), expected)
    assert torch.equal(net.sketch.generator.get_state(), before)
