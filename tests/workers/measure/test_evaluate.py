import copy

import numpy as np
import pytest
import torch

from tests.builders import attack_settings
from tests.workers.small import generator, network, run_attack, same_state, split
from workers.errors import JobError
from workers.layers import LatentSketch, TuckerKernel
from workers.measure.evaluate import attacker, correct_flags, craft, replayer, require_sketch
from workers.models.network import Network
from workers.spec.component import DefenceSpec

DATA = split(20)
PGD = attack_settings(name="pgd", epsilon=0.1, steps=3)


def sketched(theta=0.8, *, seed=0, **fields):
    net = network(width=4, theta=theta, **fields)
    net.seed(seed)
    return net


@torch.no_grad()
def predicted(net, inputs, *, batch_size):
    return torch.cat([net(batch).argmax(dim=1) for batch in inputs.split(batch_size)])


@pytest.mark.parametrize("theta", [1.0, 0.8])
@pytest.mark.parametrize("batch_size", [1, 8, 20, 64])
def test_flags_are_those_of_a_direct_computation(theta, batch_size):
    flags = correct_flags(sketched(theta), DATA, batch_size=batch_size)
    assert (flags.dtype, flags.shape) == (np.bool_, (1, 20))
    assert flags[0].tolist() == (predicted(sketched(theta), DATA.inputs, batch_size=batch_size) == DATA.labels).tolist()


def test_each_batch_is_evaluated_in_as_many_fresh_draws_as_asked_for():
    net, other = sketched(), sketched()
    flags = correct_flags(net, DATA, batch_size=8, draws=3)
    expected = [torch.stack([predicted(other, inputs, batch_size=8) for _ in range(3)]) for inputs in DATA.inputs.split(8)]
    assert flags.tolist() == (torch.cat(expected, dim=1) == DATA.labels).tolist()
    assert len({tuple(draw) for draw in flags.tolist()}) > 1


def test_the_examples_of_a_batch_are_made_once_and_evaluated_under_draws_that_the_attacker_has_not_seen():
    net, states = sketched(), []
    attack = attacker(net, PGD, generator=generator(1))

    def perturb(place, inputs, labels):
        states.append(net.sketch.generator.get_state())
        examples = attack(place, inputs, labels)
        states.append(net.sketch.generator.get_state())
        return examples

    flags = correct_flags(net, DATA, batch_size=20, draws=4, perturb=perturb)
    before, after = states
    assert not torch.equal(before, after)
    other = sketched()
    examples = run_attack(other, DATA.inputs, DATA.labels, settings=PGD, generator=generator(1))
    other.sketch.generator.set_state(after)
    expected = torch.stack([predicted(other, examples, batch_size=20) for _ in range(4)]) == DATA.labels
    assert flags.tolist() == expected.tolist()


def test_a_net_without_randomness_gives_every_draw_the_same_flags():
    flags = correct_flags(sketched(1.0), DATA, batch_size=8, draws=3)
    assert np.array_equal(flags, np.repeat(flags[:1], 3, axis=0))


@pytest.mark.parametrize(("batch_size", "draws"), [(8, 3), (20, 1)])
def test_each_batch_sees_one_fresh_sketch(batch_size, draws):
    net, other = sketched(), sketched()
    correct_flags(net, DATA, batch_size=batch_size)
    with torch.no_grad():
        for _ in range(draws):
            other(DATA.inputs[:1])
    assert torch.equal(net.sketch.generator.get_state(), other.sketch.generator.get_state())


@pytest.mark.parametrize("theta", [1.0, 0.8])
def test_attacked_flags_are_those_of_attacking_and_then_classifying_batch_by_batch(theta):
    net, other, random = sketched(theta), sketched(theta), generator(1)
    flags = correct_flags(net, DATA, batch_size=8, perturb=attacker(net, PGD, generator=generator(1)))
    expected = []
    for inputs, labels in zip(DATA.inputs.split(8), DATA.labels.split(8), strict=True):
        examples = run_attack(other, inputs, labels, settings=PGD, generator=random)
        expected += (predicted(other, examples, batch_size=8) == labels).tolist()
    assert flags.tolist() == [expected]


def test_crafted_examples_are_those_of_the_same_weights_at_theta_one():
    net, plain = sketched(0.5), sketched(1.0)
    plain.load_state_dict(net.state_dict())
    ours, distance = craft(net, DATA, PGD, batch_size=8, generator=generator())
    expected, _ = craft(plain, DATA, PGD, batch_size=8, generator=generator())
    assert torch.equal(ours, expected)
    assert distance == pytest.approx(float((ours - DATA.inputs).abs().max()))


def test_crafting_draws_no_sketch_and_leaves_it_live():
    net = sketched(0.5)
    before = net.sketch.generator.get_state()
    craft(net, DATA, PGD, batch_size=8, generator=generator())
    assert torch.equal(net.sketch.generator.get_state(), before)
    assert net.sketch.live


class NeverOff(LatentSketch):
    """A sketch that full weights do not switch off."""

    @property
    def live(self):
        return self.theta < 1


def test_crafting_on_full_weights_that_are_still_sketched_is_an_error():
    net = with_sketch(sketched(), NeverOff(theta=0.8))
    with pytest.raises(JobError, match=r"theta=0\.8: repeated forward passes with full weights differ"):
        craft(net, DATA, PGD, batch_size=8, generator=generator())


def test_crafting_on_full_weights_whose_defence_is_still_at_work_is_an_error():
    net = network(width=4, defence=DefenceSpec(name="defensive_dropout"))
    net.defence.__class__ = type("NeverOff", (type(net.defence),), {"live": True})
    with pytest.raises(JobError, match=r"theta=1\.0 defence=defensive_dropout: repeated forward passes with full weights differ"):
        craft(net, DATA, PGD, batch_size=8, generator=generator())


def test_crafting_and_attacking_leave_weights_and_data_alone():
    net, data = sketched(), copy.deepcopy(DATA)
    craft(net, data, PGD, batch_size=8, generator=generator())
    correct_flags(net, data, batch_size=8, perturb=attacker(net, PGD, generator=generator()))
    assert same_state(net, sketched())
    assert torch.equal(data.inputs, DATA.inputs)
    assert not net.training


@pytest.mark.parametrize("batch_size", [8, 20])
def test_replayed_examples_meet_a_live_sketch_each_in_its_place(batch_size):
    examples, _ = craft(sketched(), DATA, PGD, batch_size=8, generator=generator())
    flags = correct_flags(sketched(), DATA, batch_size=batch_size, perturb=replayer(examples, epsilon=PGD.epsilon))
    assert flags[0].tolist() == (predicted(sketched(), examples, batch_size=batch_size) == DATA.labels).tolist()


def test_replayed_examples_of_other_inputs_are_an_error():
    examples, _ = craft(sketched(), DATA, PGD, batch_size=8, generator=generator())
    with pytest.raises(JobError, match="outside the ball of epsilon"):
        correct_flags(sketched(), DATA, batch_size=8, perturb=replayer(examples.flip(0), epsilon=PGD.epsilon))


def with_sketch(net: Network, sketch: LatentSketch) -> Network:
    """The net with another sketch in all its layers."""
    net.sketch = sketch
    for module in net.modules():
        if isinstance(module, TuckerKernel):
            module.sketch = sketch
    net.seed(0)
    return net


class DeadInEval(LatentSketch):
    """What a sketch that obeys `.training` would be: switched off by `eval()`."""

    network: Network

    @property
    def live(self):
        return super().live and self.network.training


class AlwaysLive(LatentSketch):
    """A sketch that draws although its theta says 1."""

    @property
    def live(self):
        return True

    def scales(self, rank, *, device, **_):
        return [torch.rand(r, generator=self.generator, device=device) for r in rank]


def test_a_sketch_that_is_dead_in_eval_mode_is_an_error():
    sketch = DeadInEval(theta=0.8)
    sketch.network = with_sketch(sketched(), sketch)
    with pytest.raises(JobError, match=r"theta=0\.8: repeated forward passes are all equal"):
        require_sketch(sketch.network, DATA)


def test_a_sketch_that_is_live_at_theta_one_is_an_error():
    with pytest.raises(JobError, match=r"theta=1\.0: repeated forward passes differ"):
        require_sketch(with_sketch(sketched(1.0), AlwaysLive(theta=1.0)), DATA)


@pytest.mark.parametrize(
    ("theta", "settings"),
    [
        (1.0, {}),
        (0.95, {}),
        (0.5, {}),
        (0.9999, {}),  # no draw drops anything
        (1e-6, {}),  # every draw drops everything
        (0.9999, {"draws": "example"}),
        (0.9999, {"binary": True}),
        (1e-6, {"all_zero": "redraw", "width": 2, "rank_fraction": 0.01}),  # of one component, the same each time
    ],
)
def test_a_sketch_that_does_what_theta_says_passes_whatever_it_happens_to_draw(theta, settings):
    for seed in range(3):
        net = network(**{"width": 4, "theta": theta, **settings})
        net.seed(seed)
        require_sketch(net, DATA)


def test_a_defence_whose_draws_change_nothing_passes():
    defence = DefenceSpec.model_validate({"name": "defensive_dropout", "dropout": 1e-9})
    require_sketch(network(width=4, defence=defence), DATA)


@pytest.mark.parametrize("theta", [1.0, 0.8])
def test_a_net_whose_logits_are_not_finite_is_not_evaluated(theta):
    net = sketched(theta)
    net.body.classifier.bias.fill_(float("nan"))
    with pytest.raises(JobError, match="logits are not finite"):
        require_sketch(net, DATA)
