"""FGSM at many epsilons for one gradient, and Foolbox behind our signature."""

import warnings

import pytest
import torch

from tests.builders import attack_settings
from tests.workers.attacks.attacked import INPUTS, LABELS, NET, NORMS, Noisy, attacked, settings
from tests.workers.small import generator, network, run_attack, split
from workers.errors import JobError
from workers.measure.evaluate import attacker, correct_flags, craft

DATA = split(20)
EPSILONS = [k / 255 for k in (1, 2, 4, 8, 16, 32, 64, 128)]


class Counted:
    """How often a net is asked with and without a gradient."""

    def __init__(self, net):
        self.gradients = self.forwards = 0
        net.register_forward_pre_hook(self)

    def __call__(self, _, given):
        if given[0].requires_grad:
            self.gradients += 1
        else:
            self.forwards += 1


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("target", ["none", pytest.param("next", marks=pytest.mark.slow), "least_likely"])
def test_remembered_steps_are_the_attack_itself_bit_for_bit(norm, target):
    net, memory = network(width=4), {}
    for epsilon in EPSILONS:
        chosen = attack_settings(epsilon=epsilon, norm=norm, target=target)
        plain, remembered = (craft(net, DATA, chosen, batch_size=8, generator=generator(), memory=kept)[0] for kept in (None, memory))
        assert torch.equal(plain, remembered)


def test_eight_epsilons_cost_one_gradient_and_a_forward_pass_each():
    net, memory = network(width=4), {}
    counted = Counted(net)
    for epsilon in EPSILONS:
        perturb = attacker(net, attack_settings(epsilon=epsilon), generator=generator(), memory=memory)
        correct_flags(net, DATA, batch_size=20, perturb=perturb)
    assert (counted.gradients, counted.forwards) == (1, 8)


def test_attacks_that_differ_in_more_than_epsilon_do_not_share_a_gradient():
    net, memory = network(width=4, binary=True), {}
    kinds = [{}, {"norm": "l2"}, {"loss": "margin"}, {"target": "next"}, {"sign_gradient": "tanh"}]
    for kind in kinds:
        chosen = attack_settings(**kind)
        plain, remembered = (craft(net, DATA, chosen, batch_size=8, generator=generator(), memory=kept)[0] for kept in (None, memory))
        assert torch.equal(plain, remembered)
    assert len(memory) == len(kinds) * 3


def test_a_live_sketch_is_never_remembered_and_its_full_weights_are():
    net, memory = network(width=4, theta=0.8), {}
    correct_flags(net, DATA, batch_size=8, perturb=attacker(net, attack_settings(), generator=generator(), memory=memory))
    assert memory == {}
    craft(net, DATA, attack_settings(), batch_size=8, generator=generator(), memory=memory)
    assert len(memory) == 3


def test_random_targets_and_other_attacks_are_not_remembered():
    net, memory = network(width=4), {}
    for chosen in (attack_settings(target="random"), attack_settings(name="bim"), attack_settings(backend="foolbox")):
        craft(net, DATA, chosen, batch_size=20, generator=generator(), memory=memory)
    assert memory == {}


def test_a_gradient_that_is_not_finite_is_an_error():
    net = network(width=4)
    net.body.register_full_backward_hook(lambda _module, slopes, _: tuple(slope * float("nan") for slope in slopes))
    with pytest.raises(JobError, match=r"^20 of 20 examples cannot be attacked: the gradient or the logits are not finite"):
        craft(net, DATA, attack_settings(), batch_size=20, generator=generator(), memory={})


def test_full_weights_whose_logits_are_not_finite_are_called_that():
    net = network(width=4)
    net.body.classifier.weight.fill_(float("nan"))
    with pytest.raises(JobError, match="the network's logits are not finite"):
        craft(net, DATA, attack_settings(), batch_size=20, generator=generator(), memory={})


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Foolbox imports a name that SciPy will drop
        import foolbox  # noqa: F401


def by_foolbox(name, *, net=NET, **fields):
    chosen = settings(name, backend="foolbox", **fields)
    return run_attack(net, INPUTS, LABELS, settings=chosen, generator=generator())


@pytest.mark.parametrize("name", ["fgsm", "bim"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("target", ["none", "next"])
def test_foolbox_behind_our_signature_makes_our_examples(name, norm, target):
    torch.testing.assert_close(by_foolbox(name, norm=norm, target=target), attacked(name, norm=norm, target=target), rtol=0, atol=2e-15)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("restarts", [1, 3])
def test_foolboxs_pgd_is_drawn_from_our_generator_alone(norm, restarts):
    before = torch.get_rng_state()
    one, other = (by_foolbox("pgd", norm=norm, restarts=restarts) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(one, by_foolbox("bim", norm=norm))
    assert torch.equal(torch.get_rng_state(), before)


def test_foolbox_sees_fresh_draws_and_leaves_the_nets_mode_alone():
    net = network(width=4, theta=0.8)
    chosen = attack_settings(name="pgd", epsilon=0.1, steps=3, backend="foolbox")
    state = net.sketch.generator.get_state()
    correct_flags(net, DATA, batch_size=20, perturb=attacker(net, chosen, generator=generator()))
    assert not torch.equal(net.sketch.generator.get_state(), state)
    noisy = Noisy()
    by_foolbox("bim", net=noisy)
    assert len(noisy.asked) == 5
